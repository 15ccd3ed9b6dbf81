/** What every engine behind our routes must do. Run over the real one and over the fake, so that the fake stays honest. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TokenizerFiles } from '../../agent-server/protocol/link.ts';
import { type LlamaConfig, writeAdapter } from '../fixtures/adapter.ts';
import {
  assertBestFirst,
  assertClose,
  collect,
  idsOf,
  logprobsOf,
  outputLogprobs,
} from './engine-assertions.ts';
import { EngineClient } from './engine-client.ts';

export interface EngineUnderTest {
  url: string;
  /** Of the model that adapters must fit. */
  sizes: LlamaConfig;
  /** By how much log-probabilities of the same tokens may differ between two passes. */
  rounding?: number;
  close: () => Promise<void>;
}

/** A request with this id must not end by itself before it is aborted: a fake has to hold it. */
export const ENDLESS_RID = 'endless';

/** In float32. */
const ROUNDING = 1e-3;
const GREEDY = { temperature: 0, ignore_eos: true } as const;
const PROMPT = 'The capital of France is';

export function engineContract(name: string, open: () => Promise<EngineUnderTest>): void {
  describe(`engine contract: ${name}`, { timeout: 240_000 }, () => {
    let under: EngineUnderTest;
    let client: EngineClient;
    let folder: string;

    before(async () => {
      under = await open();
      client = new EngineClient(under.url);
      folder = await mkdtemp(join(tmpdir(), 'apprentice-engine-'));
      for (const version of [1, 2])
        await writeAdapter(join(folder, `v${version}`), under.sizes, version, 'none');
      await writeAdapter(join(folder, 'broken'), under.sizes, 3, 'missing_weights');
    });
    after(async () => {
      await under?.close();
      if (folder) await rm(folder, { recursive: true });
    });

    const load = async (version: number) => {
      const answer = await client.load(`policy@v${version}`, join(folder, `v${version}`));
      assert.equal(answer.success, true, answer.error_message ?? '');
    };
    const unload = async (version: number) =>
      assert.equal((await client.unload(`policy@v${version}`)).success, true);

    test('ENGINE-1: scoring from P-1 gives null first, then one logprob for each response token', async () => {
      const prompt = await client.tokenize(PROMPT);
      const response = await client.tokenize(' Paris, of course.');
      const scored = await client.generate({
        input_ids: [...prompt, ...response],
        sampling_params: { max_new_tokens: 0 },
        return_logprob: true,
        logprob_start_len: prompt.length - 1,
        top_logprobs_num: 3,
      });
      const entries = scored.meta_info.input_token_logprobs ?? [];
      assert.equal(entries.length, response.length + 1);
      assert.equal(entries[0]?.[0], null);
      assert.deepEqual(idsOf(entries.slice(1)), response);
      assert.ok(logprobsOf(entries.slice(1)).every((logprob) => logprob !== null && logprob <= 0));
      assert.equal(scored.meta_info.completion_tokens, 0);
      const top = scored.meta_info.input_top_logprobs ?? [];
      assert.equal(top.length, response.length + 1);
      assert.equal(top[0], null);
      for (const list of top.slice(1)) assertBestFirst(list ?? null, 3);
    });

    test('ENGINE-2: scoring an answer afterwards gives the logprobs it was generated with', async () => {
      await load(1);
      for (const lora_path of [null, 'policy@v1']) {
        const input_ids = await client.tokenize(PROMPT);
        const sampling_params = {
          temperature: 0.7,
          top_p: 0.9,
          sampling_seed: 5,
          max_new_tokens: 10,
          ignore_eos: true,
        };
        const ask = { input_ids, sampling_params, lora_path, return_logprob: true, top_logprobs_num: 2 };
        const made = await client.generate(ask);
        assert.deepEqual((await client.generate(ask)).output_ids, made.output_ids, 'one seed, one answer');
        assert.equal(made.output_ids.length, 10);
        assert.equal(made.meta_info.weight_version, lora_path ?? 'policy@v0');
        const scored = await client.generate({
          ...ask,
          input_ids: [...input_ids, ...made.output_ids],
          sampling_params: { max_new_tokens: 0 },
          logprob_start_len: input_ids.length - 1,
        });
        const before = made.meta_info.output_token_logprobs ?? [];
        const later = (scored.meta_info.input_token_logprobs ?? []).slice(1);
        assert.deepEqual(idsOf(before), made.output_ids);
        assertClose(logprobsOf(later), logprobsOf(before), under.rounding ?? ROUNDING);
        for (const list of made.meta_info.output_top_logprobs ?? []) assertBestFirst(list, 2);
      }
      await unload(1);
    });

    test('ENGINE-3: a stream is cumulative and ends with a finish reason and [DONE]', async () => {
      const chunks = await collect(
        client.stream({ text: PROMPT, sampling_params: { ...GREEDY, max_new_tokens: 8 } }),
      );
      for (const [index, chunk] of chunks.entries()) {
        const previous = chunks[index - 1];
        if (!previous) continue;
        assert.ok(chunk.text.startsWith(previous.text));
        assert.deepEqual(chunk.output_ids.slice(0, previous.output_ids.length), previous.output_ids);
        assert.equal(previous.meta_info.finish_reason, null);
      }
      const last = chunks.at(-1);
      assert.equal(last?.meta_info.finish_reason?.type, 'length');
      assert.equal(last?.output_ids.length, 8);
    });

    test('ENGINE-4: a request ends on the version it began with, though newer ones are loaded and its own unloaded', async () => {
      await load(1);
      const versions: string[] = [];
      const sampling_params = { ...GREEDY, max_new_tokens: 24 };
      const stream = client.stream({ text: PROMPT, sampling_params, lora_path: 'policy@v1' });
      const first = await stream.next();
      assert.equal(first.done, false);
      await load(2);
      const unloading = unload(1);
      const ofNewer = { text: PROMPT, sampling_params: { max_new_tokens: 2 }, lora_path: 'policy@v2' };
      const newer = await client.generate(ofNewer);
      assert.equal(newer.meta_info.weight_version, 'policy@v2');
      let length = 0;
      for await (const chunk of stream) {
        versions.push(chunk.meta_info.weight_version);
        length = chunk.output_ids.length;
      }
      assert.deepEqual([...new Set(versions)], ['policy@v1']);
      assert.equal(length, 24);
      await unloading;
      const refused = await client.refused('/generate', { text: PROMPT, lora_path: 'policy@v1' });
      assert.deepEqual(refused, { status: 404, code: 'adapter_not_loaded' });
      await unload(2);
    });

    test('ENGINE-5: the base answers the same whichever adapters are loaded, also beside their requests', async () => {
      const ask = {
        text: PROMPT,
        sampling_params: { ...GREEDY, max_new_tokens: 8 },
        return_logprob: true,
        logprob_start_len: 0,
      };
      const alone = await client.generate(ask);
      await load(1);
      const loaded = await client.generate(ask);
      const [beside, adapted] = await Promise.all([
        client.generate(ask),
        client.generate({ ...ask, lora_path: 'policy@v1' }),
      ]);
      assert.deepEqual(loaded.meta_info.output_token_logprobs, alone.meta_info.output_token_logprobs);
      assert.deepEqual(beside.output_ids, alone.output_ids);
      assertClose(outputLogprobs(beside), outputLogprobs(alone), under.rounding ?? ROUNDING);
      assert.notDeepEqual(adapted.meta_info.input_token_logprobs, alone.meta_info.input_token_logprobs);
      await unload(1);
    });

    test('ENGINE-6: a client that goes away frees its place', async () => {
      await load(1);
      const gone = new AbortController();
      const sampling_params = { ...GREEDY, max_new_tokens: 4_000 };
      const ask = { rid: ENDLESS_RID, text: PROMPT, sampling_params, lora_path: 'policy@v1' };
      const stream = client.stream(ask, gone.signal);
      await stream.next();
      gone.abort();
      await assert.rejects(collect(stream), { name: 'AbortError' });
      // Unloading waits for every request of the adapter, and this one has thousands of tokens to go.
      await unload(1);
      assert.match(
        await (await client.get('/metrics')).text(),
        /sglang:num_aborted_requests_total\{[^}]*\} [1-9]/,
      );
    });

    test('ENGINE-7: /abort_request ends a request with reason abort', async () => {
      const sampling_params = { ...GREEDY, max_new_tokens: 4_000 };
      const stream = client.stream({ rid: ENDLESS_RID, text: PROMPT, sampling_params });
      await stream.next();
      assert.equal((await client.post('/abort_request', { rid: ENDLESS_RID })).status, 200);
      const rest = await collect(stream);
      assert.equal(rest.at(-1)?.meta_info.finish_reason?.type, 'abort');
    });

    test('ENGINE-8: a second turn reuses what the first computed, and scoring only what precedes its scores', async () => {
      const input_ids = await client.tokenize(
        `${PROMPT} one of the great cities of the world, as everybody knows:`,
      );
      const first = await client.generate({ input_ids, sampling_params: { ...GREEDY, max_new_tokens: 4 } });
      const secondTurn = [...input_ids, ...first.output_ids, ...(await client.tokenize(' And of Spain?'))];
      const second = await client.generate({
        input_ids: secondTurn,
        sampling_params: { ...GREEDY, max_new_tokens: 1 },
      });
      assert.ok(
        second.meta_info.cached_tokens >= input_ids.length,
        `${second.meta_info.cached_tokens} cached`,
      );
      const scored = await client.generate({
        input_ids: secondTurn,
        sampling_params: { max_new_tokens: 0 },
        return_logprob: true,
        logprob_start_len: 5,
      });
      assert.equal(scored.meta_info.cached_tokens, 5);
      assert.equal(scored.meta_info.input_token_logprobs?.length, secondTurn.length - 5);
    });

    test('ENGINE-9: a broken adapter folder is refused with a reason and changes nothing', async () => {
      await load(1);
      const answer = await client.load('policy@v9', join(folder, 'broken'));
      assert.equal(answer.success, false);
      assert.match(answer.error_message ?? '', /broken/);
      assert.deepEqual(Object.keys(answer.loaded_adapters ?? {}), ['policy@v1']);
      const refused = await client.refused('/generate', { text: PROMPT, lora_path: 'policy@v9' });
      assert.equal(refused.code, 'adapter_not_loaded');
      await unload(1);
      assert.equal((await client.unload('policy@v1')).success, false);
    });

    test('ENGINE-10: what is wrong with a request is said with a code', async () => {
      const { contextLength } = TokenizerFiles.parse(await (await client.get('/worker/tokenizer')).json());
      const tooLong = new Array<number>(contextLength).fill(5);
      const messages = [{ role: 'user', content: 'x' }];
      const cases: [string, unknown, number, string][] = [
        ['/generate', '{"text":', 400, 'invalid_json'],
        ['/generate', { text: PROMPT, temprature: 0 }, 400, 'invalid_request'],
        ['/generate', { text: PROMPT, input_ids: [1] }, 400, 'invalid_request'],
        ['/generate', { input_ids: [] }, 400, 'invalid_request'],
        ['/generate', { input_ids: [9_999_999] }, 400, 'invalid_request'],
        ['/generate', { input_ids: tooLong }, 400, 'context_length_exceeded'],
        ['/generate', { text: PROMPT, stream: true, lora_path: 'policy@v7' }, 404, 'adapter_not_loaded'],
        ['/v1/chat/completions', { model: 'nobody', messages }, 404, 'model_not_found'],
        ['/pause_generation', { mode: 'retract' }, 400, 'invalid_request'],
      ];
      for (const [path, body, status, code] of cases) {
        const refused = await client.refused(path, body);
        assert.deepEqual(refused, { status, code }, JSON.stringify(body).slice(0, 80));
      }
    });

    test('ENGINE-11: while paused nothing is generated; afterwards everything is', async () => {
      await client.post('/pause_generation', { mode: 'in_place' });
      let ended = false;
      const answer = client
        .generate({ text: PROMPT, sampling_params: { ...GREEDY, max_new_tokens: 2 } })
        .then((made) => {
          ended = true;
          return made;
        });
      // Each of these is a round trip that comes after the request on the same server.
      for (const path of ['/health', '/model_info', '/server_info', '/v1/models']) {
        assert.equal((await client.get(path)).status, 200);
      }
      assert.equal(ended, false);
      await client.post('/continue_generation', {});
      assert.equal((await answer).output_ids.length, 2);
    });

    test('ENGINE-12: text survives the way through tokens, and a stop string ends the answer before itself', async () => {
      const text = 'naïve 😀 日本\n';
      const tokens = await client.tokenize(text);
      assert.deepEqual(await (await client.post('/v1/detokenize', { tokens })).json(), { text });
      const whole = await client.generate({
        text: PROMPT,
        sampling_params: { ...GREEDY, max_new_tokens: 12 },
      });
      const stop = whole.text.slice(4, 6);
      const cut = await collect(
        client.stream({ text: PROMPT, sampling_params: { ...GREEDY, max_new_tokens: 12, stop: [stop] } }),
      );
      assert.equal(cut.at(-1)?.text, whole.text.slice(0, whole.text.indexOf(stop)));
      assert.deepEqual(cut.at(-1)?.meta_info.finish_reason, { type: 'stop', matched: stop });
      for (const chunk of cut) assert.ok(whole.text.startsWith(chunk.text) && !chunk.text.includes(stop));
    });
  });
}
