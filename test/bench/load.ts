/**
 * `npm run bench:load`: 1,000 next states a second for a minute into an agent-server whose store holds a million
 * turns, with all loops on; the engine and the trainer are the fakes. Agent-server, gpu-worker and this sender are
 * processes of their own, and speak over the real socket and the real gateway. Measures what the taking-in costs at
 * the beginning and at the end, the panel's queries, memory, and that nothing acknowledged is lost.
 * `--seconds 60 --rate 1000 --turns 1000000 --json FILE`
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildSync } from 'esbuild';
import { answers, readDiscovery } from '../../agent-server/discovery.ts';
import { HEAP_ARGUMENTS } from '../../agent-server/heap.ts';
import { connectEditorClient } from '../../agent-server/lsp/client.ts';
import type { Discovery } from '../../agent-server/protocol/discovery.ts';
import { editorNotifications, editorRequests } from '../../agent-server/protocol/editor.ts';
import type { Probe } from '../fakes/agent-server/main.ts';
import { repositoryRoot } from '../fixtures/runtime.ts';
import { sendTraffic } from './load-traffic.ts';
import { seededStore } from './seed-store.ts';

const CLIENTS = 4;
/** Of the newest, and of any age: at a thousand a second each hears some two or three times within a minute. */
const KNOWN_TURNS = 20_000;
const START_LIMIT_MS = 60_000;
const DRAIN_LIMIT_MS = 120_000;
const MB = 1024 * 1024;

const text = (value: string) => ({ type: 'string', default: value }) as const;
const { values } = parseArgs({
  options: { seconds: text('60'), rate: text('1000'), turns: text('1000000'), json: { type: 'string' } },
});
const [seconds, rate, turns] = [Number(values.seconds), Number(values.rate), Number(values.turns)];
const say = (line: string) => process.stderr.write(`${line}\n`);

const seed = seededStore(turns, Date.now(), say);
const folder = join(repositoryRoot, '.apprentice', 'bench');
mkdirSync(folder, { recursive: true });
const home = mkdtempSync(join(folder, 'home-'));
const file = join(home, 'store.sqlite');
copyFileSync(seed, file, constants.COPYFILE_FICLONE);
// What the copy still has to write would be waited for by the first transactions.
const copied = openSync(file, 'r+');
fsyncSync(copied);
closeSync(copied);
process.once('exit', () => rmSync(home, { recursive: true, force: true }));

const probes: Probe[] = [];
const startMs = performance.now();
const server = startServer();
const discovery = await discovered();
const openedMs = performance.now() - startMs;
say(`The agent-server serves ${turns} turns after ${Math.round(openedMs)} ms.`);

// An odd step: the seeded store has its side turns at every tenth.
const step = Math.ceil(turns / KNOWN_TURNS / 2) * 2 - 1;
const [recent, anyAge] = [readTurnIds(1), readTurnIds(step)];
const clients = await Promise.all(
  Array.from({ length: CLIENTS }, (_, index) => connectEditorClient(discovery, `load-${index}`)),
);
const panel = await connectEditorClient(discovery, 'panel');
let snapshots = 0;
panel.onNotification(editorNotifications.panelChanged, () => {
  snapshots += 1;
});
await panel.request(editorRequests.setLearning, { state: 'on' });
await panel.request(editorRequests.subscribePanel, { on: true });

const load = loadavg()[0] ?? Number.NaN;
say(`Load of the machine before: ${load.toFixed(2)}. Sending ${rate} next states a second for ${seconds} s.`);
const first = probes.length;
const traffic = await sendTraffic({ clients, discovery, recent, anyAge, perSecond: rate, seconds });
const during = probes.slice(first + 1, first + seconds);
const snapshotsDuring = snapshots;
const drainedMs = await drained();
for (const client of [...clients, panel]) client.close();
server.stdin?.end();
await once(server, 'exit');
const lost = countLost(traffic.acknowledged);

const acks = traffic.ackMs.filter((ms) => ms !== undefined);
const quarter = (list: readonly Probe[], index: number) =>
  list.slice(Math.floor((list.length * index) / 4), Math.floor((list.length * (index + 1)) / 4));
const rss = (list: readonly Probe[]) => mean(list.map(({ rssBytes }) => rssBytes)) / MB;
/** Processor milliseconds of the agent-server, all its loops included, for each next state that it took in. */
const costMs = (list: readonly Probe[]) => {
  const [from, to] = [list.at(0), list.at(-1)];
  if (!from || !to) return Number.NaN;
  return (to.cpuMs - from.cpuMs) / (to.placed - from.placed);
};
const panelMs = during.map((probe) => probe.panelMs);
const rows = [
  row(
    'next states acknowledged a second',
    traffic.acknowledged.length / seconds,
    '/s',
    `at least ${rate * 0.98}`,
    (v) => v >= rate * 0.98,
  ),
  row('acknowledged and not in the store', lost, '', '0', (v) => v === 0),
  row(
    'refused for another reason than a full queue',
    sum(traffic.failures.values()),
    '',
    '0',
    (v) => v === 0,
  ),
  row('refused by a full queue, kept and sent again', traffic.queueFull, '', null),
  row('acknowledgement, median', percentile(acks, 0.5), 'ms', null),
  row('acknowledgement, 95th percentile', percentile(acks, 0.95), 'ms', null),
  row('turns through the gateway', traffic.turns, '', null),
  row("the panel's queries, 95th percentile", percentile(panelMs, 0.95), 'ms', 'under 50', (v) => v < 50),
  row(
    'of it their own processor time',
    percentile(
      during.map(({ panelCpuMs }) => panelCpuMs),
      0.95,
    ),
    'ms',
    null,
  ),
  row('panel snapshots received a second', snapshotsDuring / seconds, '/s', null),
  row('processor time a next state, second quarter', costMs(quarter(during, 1)), 'ms', null),
  row(
    'processor time, last quarter over second',
    costMs(quarter(during, 3)) / costMs(quarter(during, 1)),
    'x',
    'under 1.25',
    (v) => v < 1.25,
  ),
  row(
    'memory (RSS), largest',
    Math.max(...during.map(({ rssBytes }) => rssBytes)) / MB,
    'MB',
    'under 200',
    (v) => v < 200,
  ),
  row(
    'memory, last quarter over second',
    rss(quarter(during, 3)) / rss(quarter(during, 1)),
    'x',
    'under 1.1',
    (v) => v < 1.1,
  ),
  row(
    'longest stall of the agent-server',
    Math.max(...during.map(({ longestStallMs }) => longestStallMs)),
    'ms',
    null,
  ),
  row('queues empty after the last one', drainedMs / 1000, 's', null),
  row('start over the full store', openedMs / 1000, 's', 'under 5', (v) => v < 5),
];
const width = Math.max(...rows.map(({ name }) => name.length));
for (const { name, value, unit, aim, met } of rows) {
  const mark = met === null ? '' : met ? 'met' : 'MISSED';
  process.stdout.write(
    `${name.padEnd(width)}  ${`${value.toPrecision(4)} ${unit}`.padEnd(14)}  ${(aim ?? '').padEnd(14)}  ${mark}\n`,
  );
}
const details = {
  seconds,
  rate,
  turns,
  loadBefore: load,
  behind: traffic.behind,
  failures: Object.fromEntries(traffic.failures),
};
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ at: new Date().toISOString(), rows, details, probes: during }, null, 2)}\n`,
  );
process.exit(rows.every(({ met }) => met !== false) ? 0 : 1);

function startServer(): ChildProcess {
  const fakes = join(import.meta.dirname, '..', 'fakes');
  // Bundled as what ships is: Node's own TypeScript takes memory that no user's agent-server does.
  const main = join(home, 'agent-server.mjs');
  buildSync({
    entryPoints: [join(fakes, 'agent-server', 'main.ts')],
    outfile: main,
    bundle: true,
    platform: 'node',
    format: 'esm',
    minifyWhitespace: !process.env['LOAD_NOMIN'],
    minifySyntax: true,
    // Some dependencies are CommonJS and ask for require.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const worker = join(fakes, 'gpu-worker', 'main.ts');
  const child = spawn(process.execPath, [...HEAP_ARGUMENTS, main, '--probe', '--worker', worker], {
    env: { ...process.env, APPRENTICE_HOME: home },
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    // As the editor starts it.
    detached: true,
  });
  child.on('message', (probe: Probe) => {
    probes.push(probe);
    if (process.env['LOAD_TRACE']) say(JSON.stringify(probe));
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function discovered(): Promise<Discovery> {
  const changes = watch(home);
  const signal = AbortSignal.timeout(START_LIMIT_MS);
  for (;;) {
    const found = readDiscovery(home);
    if (found !== undefined && (await answers(found))) {
      changes.close();
      return found;
    }
    await once(changes, 'change', { signal });
  }
}

/** Ids of main turns, every `step`-th from the newest back, read beside the agent-server. */
function readTurnIds(step: number): string[] {
  const db = new DatabaseSync(file, { readOnly: true });
  const one = db.prepare("SELECT turn_id FROM turns WHERE rowid = ? AND kind = 'main'");
  const found = Array.from({ length: KNOWN_TURNS }, (_, index) => one.get(turns - index * step)?.['turn_id']);
  db.close();
  return found.filter((id) => typeof id === 'string');
}

/** Until the environment loop has placed all that was acknowledged; how long that took. */
async function drained(): Promise<number> {
  const beganMs = performance.now();
  while (performance.now() - beganMs < DRAIN_LIMIT_MS) {
    const { loops } = await panel.request(editorRequests.panel, {});
    if (loops.every(({ name, queued }) => name === 'train' || name === 'serve' || queued === 0)) break;
    await delay(200);
  }
  return performance.now() - beganMs;
}

function countLost(acknowledged: readonly string[]): number {
  const db = new DatabaseSync(file, { readOnly: true });
  const one = db.prepare("SELECT 1 FROM observations WHERE observation_id = ? AND state <> 'queued'");
  const missing = acknowledged.filter((id) => one.get(id) === undefined).length;
  db.close();
  return missing;
}

function row(
  name: string,
  value: number,
  unit: string,
  aim: string | null,
  keeps?: (value: number) => boolean,
) {
  return { name, value, unit, aim, met: keeps ? keeps(value) : null };
}

function percentile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function mean(list: readonly number[]): number {
  return sum(list) / list.length;
}

function sum(list: Iterable<number>): number {
  return [...list].reduce((total, value) => total + value, 0);
}
