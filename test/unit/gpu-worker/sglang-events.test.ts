/** What SGLang streams, read as the worker's events, where its ways differ from the contract's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerateResponse } from '../../../agent-server/protocol/engine.ts';
import type { RequestEvent, Submit } from '../../../gpu-worker/engine/messages.ts';
import { EventReader, generateBody } from '../../../gpu-worker/engine/sglang/events.ts';

const EOS = [2];
const SUBMIT: Submit = {
  rid: 'r',
  scope: '',
  input_ids: [10, 11, 12],
  adapter: null,
  max_new_tokens: 8,
  temperature: 0.7,
  top_p: 1,
  top_k: -1,
  stop_token_ids: [2],
  seed: 5,
  return_logprob: true,
  logprob_start_len: -1,
  top_logprobs_num: 0,
};

/** `ids`: as the event has them; `count`: tokens of the answer so far. */
function said(
  ids: number[],
  count: number,
  finish: GenerateResponse['meta_info']['finish_reason'] = null,
): GenerateResponse {
  return {
    text: '',
    output_ids: ids,
    meta_info: {
      id: 'x',
      finish_reason: finish,
      prompt_tokens: 3,
      completion_tokens: count,
      cached_tokens: 1,
      weight_version: 'default',
      output_token_logprobs: ids.map((id) => [-id / 10, id, null]),
    },
  };
}

function read(submit: Submit, ...chunks: GenerateResponse[]): RequestEvent[] {
  const reader = new EventReader(submit, EOS);
  return chunks.flatMap((chunk) => (reader.finished ? [] : reader.take(chunk)));
}

test('SGLANG-10: whole events and pieces give the same tokens, each once, with its logprob', () => {
  const end = { type: 'stop', matched: 2 } as const;
  const pieces = read(SUBMIT, said([7], 1), said([8, 9], 3), said([2], 4, end));
  const wholes = read(SUBMIT, said([7], 1), said([7, 8, 9], 3), said([7, 8, 9, 2], 4, end));
  assert.deepEqual(pieces, wholes);
  const tokens = pieces.flatMap((event) => (event.type === 'tokens' ? [event] : []));
  assert.deepEqual(
    tokens.map(({ ids, logprobs }) => [ids, logprobs]),
    [
      [[7], [-0.7]],
      [
        [8, 9],
        [-0.8, -0.9],
      ],
      [[2], [-0.2]],
    ],
  );
  assert.deepEqual(pieces.at(-1)?.type === 'finish' && pieces.at(-1), {
    type: 'finish',
    rid: 'r',
    reason: 'stop',
    matched: 2,
    code: null,
    message: null,
  });
});

test('SGLANG-10: stop tokens hold where the model’s own end is ignored, which SGLang ignores together', () => {
  const submit = { ...SUBMIT, stop_token_ids: [9] };
  const body = generateBody(submit, 'x', EOS) as { sampling_params: { ignore_eos: boolean } };
  assert.equal(body.sampling_params.ignore_eos, true);
  const events = read(submit, said([7, 8], 2), said([9, 4], 4), said([5], 5));
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'tokens' ? event.ids : [])),
    [7, 8, 9],
  );
  assert.ok(events.at(-1)?.type === 'finish');
  const usual = generateBody(SUBMIT, 'x', EOS) as { sampling_params: { ignore_eos: boolean } };
  assert.equal(usual.sampling_params.ignore_eos, false);
});

test('SGLANG-10: a prompt that is only scored has no token of its own, and every position that was asked for', () => {
  const submit = { ...SUBMIT, max_new_tokens: 0, logprob_start_len: 1 };
  const chunk = said([4], 1, { type: 'length', length: 0 });
  chunk.meta_info.input_token_logprobs = [
    [null, 11, null],
    [-0.5, 12, null],
  ];
  const events = read(submit, chunk);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['input', 'finish'],
  );
  assert.deepEqual(events[0]?.type === 'input' && events[0].logprobs, [null, -0.5]);
  chunk.meta_info.input_token_logprobs = [[null, 11, null]];
  assert.throws(() => read(submit, chunk), { code: 'internal' });
});
