/** What the link hears of the engine reaches the serving pointer and the prompt source. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { watchEngine } from '../../../agent-server/loops/engine-watch.ts';
import type { WorkerStatus } from '../../../agent-server/loops/worker-link.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import type { ProcessState } from '../../../agent-server/protocol/link.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';

test('SWAP-6: a restart of the engine, or a lost link, holds requests until the adapters are loaded again', async () => {
  const engine = new InProcessEngine(realTokenizerFiles());
  const serving = new Serving({
    engine,
    serving: weightVersion(1),
    folderOf: (version) => `/adapters/${version}`,
    onUnloadError: (_version, error) => assert.fail(error),
  });
  const prompts = new PromptSource(engine);
  let tell: (status: WorkerStatus) => void = () => assert.fail('nobody listens');
  const link = {
    status: { connected: false, error: null } as const,
    onStatus: (listener: (status: WorkerStatus) => void) => {
      tell = listener;
      return () => undefined;
    },
  };
  const status = (state: ProcessState['state'], engineEpoch: string): WorkerStatus => {
    const process = { state, restarts: 0, detail: null };
    return { connected: true, baseModel: 'base@1', engine: process, trainer: process, engineEpoch };
  };
  const never = new AbortController().signal;
  watchEngine(link, serving, prompts);

  const early = serving.acquire(never);
  tell(status('starting', 'a'));
  assert.deepEqual(serving.loaded(), []);
  tell(status('ready', 'a'));
  (await early).release();
  assert.deepEqual(serving.loaded(), [weightVersion(1)]);
  const prompt = await prompts.get(never);
  tell({ connected: false, error: null });
  tell(status('busy', 'a'));
  assert.deepEqual(serving.loaded(), [weightVersion(1)], 'the same engine still has it');
  assert.equal(await prompts.get(never), prompt);

  tell(status('restarting', 'a'));
  engine.adapters.clear();
  const waiting = serving.acquire(never);
  tell(status('ready', 'b'));
  (await waiting).release();
  assert.ok(engine.adapters.has(weightVersion(1)));
  assert.notEqual(await prompts.get(never), prompt);
});
