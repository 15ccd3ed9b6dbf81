/** A patch that a call made and the user changed: what teaches is the answer with that call rewritten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPatchReview } from '../../../agent-server/evidence/patch-review.ts';
import { PatchReviewObservation } from '../../../agent-server/protocol/observations.ts';

const WRITTEN = 'return "a" +\n  b;';
const given = { path: 'a.ts', old_string: 'return b;', new_string: WRITTEN };
const answerOf = (args: string): string =>
  `Done.\n<tool_call>\n{"name": "edit_file", "arguments": ${args}}\n</tool_call>`;
const ANSWER = answerOf(JSON.stringify(given));
const CALL = { callId: 'call-1', name: 'edit_file', arguments: JSON.stringify(given) };

const read = (text: string | null, fields: Record<string, unknown> = {}, answer = ANSWER, call = CALL) =>
  readPatchReview(
    PatchReviewObservation.parse({
      kind: 'patch_review',
      observationId: '5f0c1b1e-9a55-4f5e-8f6e-0d4a4a0a7c01',
      observedAt: '2026-01-01T00:00:00Z',
      turnId: '5f0c1b1e-9a55-4f5e-8f6e-0d4a4a0a7c02',
      decision: 'edited',
      comment: null,
      text,
      callId: call.callId,
      ...fields,
    }),
    answer,
    [call],
  );

test('AGENT-5: the rewrite is the answer as it was, but for what its call wrote', () => {
  const { score, rewrite } = read('return f`b`;');
  assert.equal(score, -1);
  assert.equal(rewrite, answerOf(JSON.stringify({ ...given, new_string: 'return f`b`;' })));
  const spaced = ANSWER.replaceAll('":"', '": "').replaceAll('","', '", "');
  assert.equal(read('x', {}, spaced).rewrite, spaced.replace(JSON.stringify(WRITTEN), '"x"'));
  const content = { path: 'a.ts', content: 'one\n' };
  const create = { ...CALL, name: 'create_file', arguments: JSON.stringify(content) };
  const created = answerOf(JSON.stringify(content));
  assert.equal(
    read('two\n', {}, created, create).rewrite,
    answerOf(JSON.stringify({ ...content, content: 'two\n' })),
  );
});

test('AGENT-5: formatting alone is no correction, and what cannot be put together is none either', () => {
  assert.deepEqual([read('return "a" + b;').score, read('return "a" + b;').rewrite], [1, null]);
  // Left as it was, rejected in part with nothing to say it by, in another form of call, or of a call that is not there.
  for (const { score, rewrite } of [
    read(null),
    read('x', {}, ANSWER.replaceAll('\\n', '\\u000a')),
    read('x', {}, `${ANSWER}${ANSWER}`),
    read('x', { callId: 'another' }),
  ])
    assert.deepEqual([score, rewrite], [-1, null]);
});
