/**
 * `npm run bench:kill -- --minutes 10 [--real]`: kills the agent-server and the gpu-worker at random moments, again and
 * again, while turns are asked for, next states reported, judged and trained on; then counts. Engine and trainer are the
 * fakes, so that a process is back within a second and dies in the midst of work and not of starting; with `--real`
 * they are the real ones, and killed as well. A short form of that is test/e2e/kill.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readDiscovery } from '../../agent-server/discovery.ts';
import { decodeSafetensors } from '../../agent-server/learning/tensors.ts';
import { connectEditorClient } from '../../agent-server/lsp/client.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { BASE_VERSION } from '../../agent-server/protocol/ids.ts';
import { isAlive, type ProcessRole, processTree } from '../fixtures/process-tree.ts';
import { runtime } from '../fixtures/runtime.ts';
import { askForTurns, type Kept, reportNextStates } from './kill-clients.ts';

const CHATTERS = 2;
const CHAT_PAUSE_MS = 200;
const RESTART_MS = 100;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    real: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const { real } = values;
const ROLES: readonly ProcessRole[] = [
  'agent-server',
  'gpu-worker',
  ...(real ? (['engine', 'trainer'] as const) : []),
];
/** A model takes seconds to load and to step: it is killed while it loads, while it works, and after. */
const LONGEST_PAUSE_MS = real ? 10_000 : 3_000;
const DRAIN_LIMIT_MS = real ? 900_000 : 180_000;
const NEXT_STATES_PER_SECOND = real ? 10 : 50;
const home = mkdtempSync(join(tmpdir(), 'apprentice-kill-'));
const adapterFolder = join(home, 'adapters');
process.once('exit', () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
mkdirSync(home, { recursive: true });
// Several samples a step: what is tested is that each is trained once.
writeFileSync(
  join(home, 'config.json'),
  JSON.stringify({ learning: { newSamplesPerBatch: 16, replay: 1, anchors: 0 } }),
);

const ended = new AbortController();
let server = startServer();
const kept: Kept = { observations: [], turns: [], retries: 0 };
const clients = [
  ...Array.from({ length: CHATTERS }, () => askForTurns(home, kept, CHAT_PAUSE_MS, ended.signal)),
  reportNextStates(home, kept, NEXT_STATES_PER_SECOND, ended.signal),
];
const killed = new Map<ProcessRole, number>(ROLES.map((role) => [role, 0]));
const pids: number[] = [];
const untilMs = performance.now() + minutes * 60_000;
while (performance.now() < untilMs) {
  // Killing what only starts again would leave no work to be interrupted.
  await untilAnswered(kept.turns.length + 1, kept.observations.length + 1);
  await delay(Math.random() * LONGEST_PAUSE_MS);
  const role = ROLES[Math.floor(Math.random() * ROLES.length)];
  const pid = role && processTree(process.pid).get(role);
  if (role === undefined || pid === undefined) continue;
  process.kill(pid, 'SIGKILL');
  pids.push(pid);
  killed.set(role, (killed.get(role) ?? 0) + 1);
}
ended.abort();
await Promise.all(clients);
const drained = await untilDone();
pids.push(...processTree(process.pid).values());
const leaving = once(server, 'exit');
server.stdin?.end();
await leaving;

const checks = count();
const orphans = pids.filter((pid) => isAlive(pid)).length;
const rows = [
  ...[...killed].map(([role, times]) => row(`kills of the ${role}`, times, null)),
  row('turns answered', kept.turns.length, null),
  row('next states acknowledged', kept.observations.length, null),
  row('requests made again', kept.retries, null),
  row('versions trained', checks.versions, null),
  row('versions that keep their weights', checks.withWeights, null),
  row('samples trained', checks.trained, null),
  row('answered turns that the store lost', checks.lostTurns, 0),
  row('acknowledged next states that the store lost', checks.lostObservations, 0),
  row('next states that are twice in the store', checks.twice, 0),
  row('samples new in more than one batch', checks.sampleTwice, 0),
  row('trained samples in no batch', checks.sampleNowhere, 0),
  row('batches with more than one version', checks.batchTwice, 0),
  row(
    'versions with weights that the store knows nothing of, or without those it knows of',
    checks.misplaced,
    0,
  ),
  ...(real ? [] : [row('adapters trained more or less often than their lineage says', checks.stepsWrong, 0)]),
  row('loops that did not go on to the end of their queue', drained, 0),
  row('processes that outlived their parent', orphans, 0),
];
const width = Math.max(...rows.map(({ name }) => name.length));
for (const { name, value, met } of rows)
  process.stdout.write(
    `${name.padEnd(width)}  ${String(value).padStart(8)}  ${met === null ? '' : met ? 'met' : 'MISSED'}\n`,
  );
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ at: new Date().toISOString(), minutes, real, rows }, null, 2)}\n`,
  );
process.exit(rows.every(({ met }) => met !== false) ? 0 : 1);

/** Started again whenever it ends before the end, as the editor does. */
function startServer(): ChildProcess {
  const root = join(import.meta.dirname, '..', '..');
  const main = real ? ['agent-server/main.ts', '--parent-pipe'] : ['test/fakes/agent-server/main.ts'];
  const child = spawn(process.execPath, main, {
    cwd: root,
    env: { ...process.env, ...(real ? withRuntime() : {}), APPRENTICE_HOME: home },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.once('exit', (_code, signal) => {
    if (signal === 'SIGKILL') setTimeout(() => (server = startServer()), RESTART_MS);
  });
  return child;
}

/** Until so many turns are answered and so many next states acknowledged, or for a minute. */
async function untilAnswered(turns: number, observations: number): Promise<void> {
  const limitMs = performance.now() + 60_000;
  while (performance.now() < limitMs) {
    if (kept.turns.length >= turns && kept.observations.length >= observations) return;
    await delay(20);
  }
}

/** Waits until nothing is queued; how many loops still have something when that takes too long. */
async function untilDone(): Promise<number> {
  const limitMs = performance.now() + DRAIN_LIMIT_MS;
  let busy = ROLES.length;
  while (performance.now() < limitMs) {
    const found = readDiscovery(home);
    const client = found && (await connectEditorClient(found, 'count').catch(() => undefined));
    if (client) {
      const { loops, training } = await client.request(editorRequests.panel, {});
      client.close();
      busy = loops.filter(({ queued }) => queued > 0).length;
      if (busy === 0 && training === null) return 0;
    }
    await delay(500);
  }
  return busy;
}

/** Where the real model and its Python are. */
function withRuntime(): NodeJS.ProcessEnv {
  const { python, model } = runtime();
  return { APPRENTICE_PYTHON: python, APPRENTICE_MODEL: model };
}

function count() {
  const db = new DatabaseSync(join(home, 'store.sqlite'), { readOnly: true });
  const missing = (sql: string, ids: readonly string[]): number => {
    const one = db.prepare(sql);
    return ids.filter((id) => one.get(id) === undefined).length;
  };
  const number = (sql: string): number => Number(db.prepare(sql).get()?.['n']);
  // Of old versions most lose their weights (promotion.keepVersions): what was trained is known by the store.
  const versions = db
    .prepare('SELECT version, parent, folder FROM versions WHERE parent IS NOT NULL ORDER BY rowid')
    .all() as { version: string; parent: string; folder: string | null }[];
  const weights = new Set(versions.flatMap(({ version, folder }) => (folder === null ? [] : [version])));
  const onDisk = new Set(readdirSync(adapterFolder).filter((name) => /^policy@v\d+$/.test(name)));
  const steps = new Map<string, number>([[BASE_VERSION, 0]]);
  for (const { version, parent } of versions) steps.set(version, (steps.get(parent) ?? Number.NaN) + 1);
  const counted = {
    lostTurns: missing(`SELECT 1 FROM turns WHERE turn_id = ? AND state IN ('open', 'settled')`, kept.turns),
    lostObservations: missing(
      `SELECT 1 FROM observations WHERE observation_id = ? AND state = 'attached'`,
      kept.observations,
    ),
    twice: number('SELECT count(*) - count(DISTINCT observation_id) AS n FROM next_states'),
    sampleTwice: number(
      `SELECT count(*) - count(DISTINCT sample_id) AS n FROM batch_samples WHERE origin = 'new'`,
    ),
    sampleNowhere: number(
      `SELECT count(*) AS n FROM samples WHERE state = 'trained'
         AND sample_id NOT IN (SELECT sample_id FROM batch_samples WHERE origin = 'new')`,
    ),
    trained: number(`SELECT count(*) AS n FROM samples WHERE state = 'trained'`),
    versions: number('SELECT count(*) AS n FROM versions WHERE batch_id IS NOT NULL'),
    withWeights: weights.size,
    batchTwice: number('SELECT count(batch_id) - count(DISTINCT batch_id) AS n FROM versions'),
    misplaced: onDisk.size + weights.size - 2 * [...onDisk].filter((version) => weights.has(version)).length,
    stepsWrong: real ? 0 : [...onDisk].filter((version) => stepsIn(version) !== steps.get(version)).length,
  };
  db.close();
  return counted;
}

/** How often the fake trainer trained an adapter: it counts that in each, once more than in its parent. */
function stepsIn(version: string): number {
  const file = join(adapterFolder, version, 'adapter_model.safetensors');
  return Number(decodeSafetensors(new Uint8Array(readFileSync(file))).get('trained')?.data[0]);
}

function row(name: string, value: number, aim: number | null) {
  return { name, value, met: aim === null ? null : value === aim };
}
