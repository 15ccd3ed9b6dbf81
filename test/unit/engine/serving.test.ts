/** The serving pointer and its leases, over an adapter loader whose every call the test answers itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Serving } from '../../../agent-server/engine/serving.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, type WeightVersion, weightVersion } from '../../../agent-server/protocol/ids.ts';

const never = new AbortController().signal;
const [V1, V2, V3, V4] = [1, 2, 3, 4].map(weightVersion) as [
  WeightVersion,
  WeightVersion,
  WeightVersion,
  WeightVersion,
];
const accept = async () => true;

function setUp(options: { serving?: WeightVersion; keepIdle?: number; waitMs?: number } = {}) {
  const calls: string[] = [];
  const engine = {
    load: async (_version: WeightVersion): Promise<void> => undefined,
    loadAdapter: (version: WeightVersion) => {
      calls.push(`load ${version}`);
      return engine.load(version);
    },
    unloadAdapter: async (version: WeightVersion) => {
      calls.push(`unload ${version}`);
    },
  };
  const serving = new Serving({
    engine,
    serving: options.serving ?? BASE_VERSION,
    folderOf: (version) => (version === weightVersion(9) ? undefined : `/adapters/${version}`),
    onUnloadError: (version, error) => calls.push(`unload of ${version} failed: ${error.message}`),
    keepIdle: options.keepIdle ?? 0,
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
  });
  return { serving, engine, calls };
}

const hasCode = (code: string) => (error: unknown) => error instanceof ApprenticeError && error.code === code;

test('SWAP-1: a running request keeps its version over a swap, and the old is unloaded when it ends', async () => {
  const { serving, calls } = setUp({ serving: V1 });
  serving.engineStarted('a');
  const running = await serving.acquire(never);
  await serving.swap(V2, accept, never);
  const after = await serving.acquire(never);
  assert.deepEqual([running.version, after.version, serving.version], [V1, V2, V2]);
  assert.deepEqual(serving.loaded(), [V1, V2]);
  running.release();
  running.release();
  assert.deepEqual(serving.loaded(), [V2]);
  await serving.swap(V3, accept, never);
  assert.deepEqual(calls, [`load ${V1}`, `load ${V2}`, `unload ${V1}`, `load ${V3}`]);
});

test('SWAP-2: a version that does not load, or is decided against, never gets the pointer', async () => {
  const { serving, engine } = setUp({ serving: V1 });
  serving.engineStarted('a');
  await assert.rejects(
    serving.swap(V2, () => Promise.reject(new Error('worse')), never),
    /worse/,
  );
  engine.load = () => Promise.reject(new ApprenticeError('adapter_invalid', 'broken', ''));
  await assert.rejects(serving.swap(V3, accept, never), hasCode('adapter_invalid'));
  assert.equal(serving.version, V1);
  await assert.rejects(serving.acquire(never, weightVersion(9)), hasCode('model_not_found'));
});

test('SWAP-3: requests wait while the engine is away, and the serving version is loaded again before they go on', async () => {
  const { serving, engine, calls } = setUp({ serving: V1 });
  serving.engineStarted('a');
  (await serving.acquire(never)).release();
  serving.engineStopped();
  const waiting = serving.acquire(never);
  const loading = Promise.withResolvers<void>();
  engine.load = () => loading.promise;
  serving.engineStarted('b');
  assert.deepEqual(serving.loaded(), []);
  loading.resolve();
  assert.equal((await waiting).version, V1);
  assert.deepEqual(calls, [`load ${V1}`, `load ${V1}`]);
});

test('SWAP-3: an engine that dies during a load makes the lease wait for the next one', async () => {
  const { serving, engine } = setUp({ serving: V1 });
  serving.engineStarted('a');
  (await serving.acquire(never)).release();
  const first = Promise.withResolvers<void>();
  engine.load = () => first.promise;
  const waiting = serving.acquire(never, V2);
  serving.engineStopped();
  serving.engineStarted('b');
  engine.load = async () => undefined;
  first.resolve();
  assert.equal((await waiting).version, V2);
  assert.ok(serving.loaded().includes(V2));
});

test('a wait for the engine ends at its limit, and at the caller’s cancel', async () => {
  const { serving } = setUp({ waitMs: 5 });
  await assert.rejects(serving.acquire(never), hasCode('engine_unavailable'));
  const controller = new AbortController();
  const waiting = setUp().serving.acquire(controller.signal);
  controller.abort();
  await assert.rejects(waiting, hasCode('aborted'));
});

test('SWAP-4: idle versions are kept up to the bound, the least recently used goes first', async () => {
  const { serving } = setUp({ keepIdle: 1 });
  serving.engineStarted('a');
  for (const version of [V1, V2, V3]) await serving.swap(version, accept, never);
  assert.deepEqual(serving.loaded(), [V2, V3]);
  (await serving.acquire(never, V2)).release();
  await serving.swap(V4, accept, never);
  assert.deepEqual(serving.loaded(), [V3, V4]);
});
