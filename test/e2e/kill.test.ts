/**
 * RECOVERY-1: `kill -9` of any process at any moment loses no acknowledged observation and trains no sample
 * twice. A replay on the real model, during which agent-server, gpu-worker, engine and trainer are killed 20
 * times at random moments. RECOVERY-2: no process outlives its parent.
 */
import assert from 'node:assert/strict';
import { EventEmitter, on } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Config } from '../../agent-server/config.ts';
import { Arm } from '../../agent-server/environment/replay/arm.ts';
import { readHistory } from '../../agent-server/environment/replay/history.ts';
import { ensureSampleRepository } from '../../agent-server/environment/replay/sample-repository.ts';
import { tokenCounter } from '../../agent-server/environment/replay/token-counter.ts';
import { seededRandom } from '../../agent-server/learning/random.ts';
import { PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import { Lineage } from '../../agent-server/protocol/training.ts';
import { isAlive, type ProcessRole, processTree } from '../fixtures/process-tree.ts';
import { runtime } from '../fixtures/runtime.ts';

const KILLS = 20;
/** Commits answered and learnt at a time, until all kills are done: a fast machine needs more than a slow one. */
const ROUND = 6;
const MOST_COMMITS = 60;
const SEED = 7;
const LIMIT_MS = 9 * 60_000;
const ROLES: readonly ProcessRole[] = ['agent-server', 'gpu-worker', 'engine', 'trainer'];
const skip = process.platform === 'linux' ? false : 'finds processes in /proc';

const folder = await mkdtemp(join(tmpdir(), 'apprentice-kill-'));
after(() => rm(folder, { recursive: true, force: true }));

test('RECOVERY-1 a replay survives 20 kills with the same counts', {
  skip,
  timeout: LIMIT_MS,
}, async (context) => {
  const { python, model } = runtime();
  const home = join(folder, 'home');
  const { repositoryRoot, commits } = await readHistory(
    await ensureSampleRepository(join(folder, 'sample')),
    MOST_COMMITS,
    context.signal,
  );
  const snapshots = new EventEmitter();
  const arm = new Arm({
    name: 'learn',
    home,
    // Small batches: what is tested is that each is trained once, not what it teaches.
    config: Config.parse({ learning: { replay: 1, anchors: 0 } }),
    python,
    model,
    repositoryRoot,
    countTokens: await tokenCounter(model),
    onProgress: (progress) => {
      if (progress.kind === 'trouble') context.diagnostic(progress.text);
      if (progress.kind === 'snapshot') snapshots.emit('snapshot', progress.snapshot);
    },
  });
  const killed: number[] = [];
  let replayed = 0;
  let killedAt = '';
  let last: number[] = [];
  try {
    await arm.start(context.signal);
    const random = seededRandom(SEED);
    while (killed.length < KILLS && replayed < commits.length) {
      const round = commits.slice(replayed, replayed + ROUND);
      replayed += round.length;
      const learning = arm.learn(round, context.signal);
      const ended = learning.then(() => true);
      while (killed.length < KILLS) {
        // Killing what only starts again would leave no work to be interrupted.
        if (await Promise.race([ended, untilServing(snapshots, killedAt)])) break;
        // A random moment is the very thing under test.
        if (await Promise.race([ended, delay(random() * 6000, false)])) break;
        const tree = processTree(arm.server.pid ?? -1);
        const role = ROLES[Math.floor(random() * ROLES.length)];
        const pid = role === undefined ? undefined : tree.get(role);
        if (pid === undefined) continue;
        process.kill(pid, 'SIGKILL');
        killed.push(pid);
        killedAt = new Date().toISOString();
        context.diagnostic(`kill ${killed.length}: ${role}`);
      }
      await learning;
    }
    last = [...processTree(arm.server.pid ?? -1).values()];
  } finally {
    await arm.stop();
  }
  assert.equal(killed.length, KILLS, 'the replay ended before all kills were done');

  const store = new DatabaseSync(join(home, 'store.sqlite'), { readOnly: true });
  const count = (sql: string): unknown => store.prepare(sql).get()?.['n'];
  assert.equal(count('SELECT count(*) AS n FROM observations'), replayed);
  assert.equal(count("SELECT count(DISTINCT body ->> '$.sha') AS n FROM observations"), replayed);
  assert.equal(count("SELECT count(*) AS n FROM observations WHERE state = 'attached'"), replayed);
  assert.equal(count('SELECT count(*) AS n FROM next_states'), replayed);
  assert.equal(count('SELECT count(*) AS n FROM verdicts WHERE score IS NOT NULL'), replayed);

  const corrected = arm.rows.filter(({ score }) => score === -1).length;
  assert.ok(corrected > 0, 'nothing was corrected, so nothing was trained');
  assert.equal(count("SELECT count(*) AS n FROM samples WHERE state = 'trained'"), corrected);
  assert.equal(count("SELECT count(*) AS n FROM batches WHERE state <> 'trained'"), 0);
  assert.equal(count("SELECT count(*) AS n FROM batch_samples WHERE origin = 'new'"), corrected);
  assert.equal(
    count("SELECT count(DISTINCT sample_id) AS n FROM batch_samples WHERE origin = 'new'"),
    corrected,
  );
  assert.equal(arm.versionCount, corrected);
  const batchOf = store.prepare('SELECT version FROM batches WHERE batch_id = ?');
  const newIn = store.prepare("SELECT sample_id FROM batch_samples WHERE batch_id = ? AND origin = 'new'");
  const lineages = await adaptersOnDisk(home);
  assert.equal(lineages.length, corrected);
  for (const lineage of lineages) {
    assert.equal(batchOf.get(lineage.batchId)?.['version'], lineage.version);
    const [sample, ...more] = newIn.all(lineage.batchId);
    assert.ok(more.length === 0 && lineage.sampleIds.some((id) => id === sample?.['sample_id']));
  }
  assert.equal(
    new Set(lineages.map(({ batchId }) => batchId)).size,
    lineages.length,
    'a batch was trained twice',
  );
  store.close();
  for (const pid of [...killed, ...last]) assert.ok(!isAlive(pid), `RECOVERY-2: process ${pid} still runs`);
});

/** Resolves to false at the first snapshot from after `since` that has an engine, or when none came for a minute. */
async function untilServing(snapshots: EventEmitter, since: string): Promise<false> {
  if (since === '') return false;
  const limit = AbortSignal.timeout(60_000);
  try {
    for await (const [snapshot] of on(snapshots, 'snapshot', { signal: limit })) {
      const { at, worker } = PanelSnapshot.parse(snapshot);
      if (at > since && (worker?.engine.state === 'ready' || worker?.engine.state === 'busy')) return false;
    }
  } catch (error) {
    if (!limit.aborted) throw error;
  }
  return false;
}

/** Lineages of the adapters that lie complete on disk. */
async function adaptersOnDisk(home: string): Promise<Lineage[]> {
  const names = (await readdir(join(home, 'adapters'))).filter((name) => /^policy@v\d+$/.test(name));
  return Promise.all(
    names.map(async (name) =>
      Lineage.parse(JSON.parse(await readFile(join(home, 'adapters', name, 'lineage.json'), 'utf8'))),
    ),
  );
}
