/** What the agent-server relies on in an Engine: the HTTP client over the real and the fake engine's routes, and the fake in process. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Engine } from '../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../agent-server/engine/http-engine.ts';
import { PromptSource } from '../../agent-server/gateway/prompt-source.ts';
import type { GenerateResponse } from '../../agent-server/protocol/engine.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION, weightVersion } from '../../agent-server/protocol/ids.ts';
import { startFakeEngine } from '../fakes/engine.ts';
import { InProcessEngine, realTokenizerFiles } from '../fakes/in-process-engine.ts';
import { modelSizes, writeAdapter } from '../fixtures/adapter.ts';
import { startRealEngine } from '../fixtures/real-engine.ts';
import { runtime } from '../fixtures/runtime.ts';

const never = new AbortController().signal;
const V1 = weightVersion(1);
const ENDLESS = { max_new_tokens: 1024, ignore_eos: true };
const hasCode = (code: string) => (error: unknown) => error instanceof ApprenticeError && error.code === code;

async function all(stream: AsyncIterable<GenerateResponse>): Promise<GenerateResponse[]> {
  const answers: GenerateResponse[] = [];
  for await (const answer of stream) answers.push(answer);
  return answers;
}

interface Opened {
  engine: Engine;
  /** From now on no request gets to its end. */
  hold(): void;
  /** Writes an adapter that this engine can load. */
  writeAdapter(folder: string): Promise<void>;
  close(): Promise<void>;
}

function engineInterface(name: string, open: () => Promise<Opened>): void {
  suite(`Engine: ${name}`, () => {
    let opened: Opened;
    let engine: Engine;
    let folder: string;
    /** A request that each of them answers and ends by itself. */
    let asked: { input_ids: number[]; sampling_params: { temperature: number } };
    before(async () => {
      opened = await open();
      engine = opened.engine;
      folder = await mkdtemp(join(tmpdir(), 'adapter-'));
      await opened.writeAdapter(folder);
      const prompt = await new PromptSource(engine).get(never);
      const input_ids = prompt.ids([{ role: 'user', content: 'Say hello.' }]);
      asked = { input_ids, sampling_params: { temperature: 0 } };
    });
    after(async () => {
      await opened.close();
      await rm(folder, { recursive: true, force: true });
    });

    test('a stream is cumulative, token by token, and ends with the reason', async () => {
      const answers = await all(engine.generate({ ...asked, return_logprob: true }, never));
      for (const [index, answer] of answers.entries()) {
        const before = answers[index - 1];
        assert.deepEqual(
          answer.output_ids.slice(0, before?.output_ids.length ?? 0),
          before?.output_ids ?? [],
        );
        assert.deepEqual(
          answer.meta_info.output_token_logprobs?.map((entry) => entry[1]),
          answer.output_ids,
        );
        assert.equal(answer.meta_info.finish_reason === null, index < answers.length - 1);
      }
      assert.equal(answers.at(-1)?.meta_info.finish_reason?.type, 'stop');
      assert.equal(answers.at(-1)?.meta_info.weight_version, BASE_VERSION);
      const cut = await all(
        engine.generate({ input_ids: [5], sampling_params: { max_new_tokens: 2 } }, never),
      );
      assert.deepEqual(
        [cut.at(-1)?.output_ids.length, cut.at(-1)?.meta_info.finish_reason?.type],
        [2, 'length'],
      );
    });

    test('a score has one logprob and one list, best first, a response token', async () => {
      const request = { promptIds: [5, 6], responseIds: [7, 8, 9], version: BASE_VERSION, topLogprobs: 3 };
      const { logprobs, top } = await engine.score(request, never);
      assert.ok(logprobs.length === 3 && logprobs.every((logprob) => logprob <= 0));
      assert.deepEqual(
        top.map((list) => list.length),
        [3, 3, 3],
      );
      for (const list of top)
        assert.deepEqual(
          list,
          list.toSorted((a, b) => b[0] - a[0]),
        );
      const none = await engine.score({ ...request, topLogprobs: 0 }, never);
      assert.deepEqual([none.logprobs, none.top], [logprobs, [[], [], []]]);
    });

    test('a version answers between its load and its unload, and never another in its place', async () => {
      const request = { ...asked, lora_path: V1 };
      await assert.rejects(all(engine.generate(request, never)), hasCode('adapter_not_loaded'));
      await engine.loadAdapter(V1, folder, never);
      await engine.loadAdapter(V1, folder, never);
      assert.equal((await all(engine.generate(request, never))).at(-1)?.meta_info.weight_version, V1);
      await engine.unloadAdapter(V1, never);
      await assert.rejects(all(engine.generate(request, never)), hasCode('adapter_not_loaded'));
    });

    test('it says that it is well, and how its model writes', async () => {
      assert.equal(await engine.health(never), true);
      const files = await engine.tokenizerFiles(never);
      assert.ok(files.contextLength >= 1024 && files.eosTokenIds.length > 0);
      assert.match(files.chatTemplate, /messages/);
    });

    test('a cancelled request throws `aborted`', async () => {
      opened.hold();
      const controller = new AbortController();
      const stream = engine
        .generate({ input_ids: [5], sampling_params: ENDLESS }, controller.signal)
        [Symbol.asyncIterator]();
      await stream.next();
      controller.abort();
      await assert.rejects(async () => {
        for (let next = await stream.next(); !next.done; next = await stream.next());
      }, hasCode('aborted'));
    });
  });
}

engineInterface('HTTP client over the embedded engine', async () => {
  const real = await startRealEngine();
  return {
    engine: new HttpEngine(() => ({ url: real.url, key: 'none' })),
    // A model takes its time for the tokens that are asked for.
    hold: () => undefined,
    writeAdapter: async (folder) => writeAdapter(folder, await modelSizes(runtime().model), 1, 'none'),
    close: real.close,
  };
});

/** All that the fakes read of an adapter: that it is there. */
async function writeEmptyAdapter(folder: string): Promise<void> {
  await writeFile(join(folder, 'adapter_config.json'), '{}');
  await writeFile(join(folder, 'adapter_model.safetensors'), '');
}

engineInterface('HTTP client over the fake engine', async () => {
  let held = false;
  const beforeToken = (_request: unknown, index: number) =>
    held && index > 0 ? new Promise<void>(() => {}) : Promise.resolve();
  const fake = await startFakeEngine({ key: 'key', beforeToken });
  const hold = () => {
    held = true;
  };
  return {
    engine: new HttpEngine(() => ({ url: fake.url, key: 'key' })),
    hold,
    writeAdapter: writeEmptyAdapter,
    close: fake.close,
  };
});

engineInterface('in process', async () => {
  const engine = new InProcessEngine(realTokenizerFiles());
  const hold = () => {
    engine.beforeToken = (index, signal) =>
      index === 0 || signal.aborted
        ? Promise.resolve()
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  };
  return { engine, hold, writeAdapter: writeEmptyAdapter, close: async () => undefined };
});
