/**
 * `npm run bench:link`: a batch to a worker and its version back, over a line of 1 MB/s and 200 ms and over none, side
 * by side; and the same when the worker has lost the parent. The trainer is the fake, so that what is measured is the
 * way. Sizes are those of the default model: adapters of 20 MB, a batch of 2 MB.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerLink } from '../../agent-server/loops/worker-link.ts';
import { padBatch, writeBatch } from '../fixtures/batches.ts';
import { KEY, linkTo, openWorker } from '../fixtures/gpu-worker.ts';
import { slowProxy } from '../fixtures/slow-proxy.ts';
import { median, type Row, report } from './rig.ts';

const LINE = { bytesPerSecond: 1_000_000, roundTripMs: 200 };
const ADAPTER_BYTES = 20_000_000;
const BATCH_BYTES = 2_000_000;
const REPEATS = 2;
const LIMIT_MS = 300_000;

interface Times {
  /** From asking to the first word of the trainer: parent and batch are there. */
  toWorker: number;
  /** From the version being made to its being here. */
  back: number;
  total: number;
  /** Processor time of both ends and the line, which other work on the machine does not stretch. */
  processor: number;
}

const scratch = await mkdtemp(join(tmpdir(), 'apprentice-bench-link-'));
const sender = join(scratch, 'sender');

/** A step whose parent the worker has or has lost. */
async function step(line: 'none' | 'slow', parent: 'there' | 'lost'): Promise<Times> {
  const home = await mkdtemp(join(scratch, 'home-'));
  await cp(join(sender, 'adapters'), join(home, 'adapters'), { recursive: true });
  const worker = await openWorker(join(home, 'worker'), { paddingBytes: ADAPTER_BYTES });
  if (parent === 'there') {
    const near = linkTo(() => ({ url: worker.url, key: KEY }), home);
    near.connect();
    await near.supply(first.manifest.version, AbortSignal.timeout(LIMIT_MS));
    near.close();
  }
  const proxy = line === 'slow' ? await slowProxy(worker.port, LINE) : null;
  const url = proxy === null ? worker.url : `http://127.0.0.1:${proxy.port}`;
  const link = linkTo(() => ({ url, key: KEY }), home);
  await connected(link);
  let arrivedMs = Number.NaN;
  let madeMs = Number.NaN;
  link.onProgress(({ phase }) => {
    if (phase === 'loading') arrivedMs = performance.now();
    if (phase === 'saving') madeMs = performance.now();
  });
  const before = process.cpuUsage();
  const beganMs = performance.now();
  await link.train(second.manifest.batchId, second.folder, AbortSignal.timeout(LIMIT_MS));
  const endedMs = performance.now();
  const { user, system } = process.cpuUsage(before);
  link.close();
  await proxy?.close();
  await worker.close();
  await rm(home, { recursive: true });
  const seconds = (fromMs: number, toMs: number) => (toMs - fromMs) / 1000;
  return {
    toWorker: seconds(beganMs, arrivedMs),
    back: seconds(madeMs, endedMs),
    total: seconds(beganMs, endedMs),
    processor: (user + system) / 1e6,
  };
}

async function connected(link: WorkerLink): Promise<void> {
  const welcome = new Promise<void>((resolve) => {
    link.onStatus((status) => status.connected && resolve());
  });
  link.connect();
  await welcome;
}

const first = await writeBatch(sender);
{
  const worker = await openWorker(join(sender, 'worker'), { paddingBytes: ADAPTER_BYTES });
  const link = linkTo(() => ({ url: worker.url, key: KEY }), sender);
  link.connect();
  await link.train(first.manifest.batchId, first.folder, AbortSignal.timeout(LIMIT_MS));
  link.close();
  await worker.close();
}
const second = await padBatch(await writeBatch(sender, { number: 2 }), BATCH_BYTES);

const details: Record<string, Times[]> = {};
const rows: Row[] = [];
for (const parent of ['there', 'lost'] as const) {
  const free: Times[] = [];
  const slow: Times[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    free.push(await step('none', parent));
    slow.push(await step('slow', parent));
  }
  details[`parent ${parent}, no line`] = free;
  details[`parent ${parent}, 1 MB/s and 200 ms`] = slow;
  const of = (times: readonly Times[], part: keyof Times) => median(times.map((one) => one[part]));
  const bytes = ADAPTER_BYTES + BATCH_BYTES + (parent === 'lost' ? ADAPTER_BYTES : 0);
  const least = bytes / LINE.bytesPerSecond;
  const row = (name: string, value: number, unit: string, aim: number | null): Row => ({
    name: `parent ${parent}: ${name}`,
    value: Math.round(value * 1000) / 1000,
    unit,
    aim: aim === null ? null : `under ${aim}`,
    met: aim === null ? null : value < aim,
  });
  rows.push(
    row('a step over 1 MB/s and 200 ms', of(slow, 'total'), 's', null),
    row('of it to the worker', of(slow, 'toWorker'), 's', null),
    row('of it back', of(slow, 'back'), 's', null),
    row('the same without a line between', of(free, 'total'), 's', null),
    row('of it processor time, both ends', of(free, 'processor'), 's', null),
    row('ratio of the two', of(slow, 'total') / of(free, 'total'), 'times', null),
    row('against the bytes at 1 MB/s', of(slow, 'total') / least, 'times', 1.2),
  );
}
await rm(scratch, { recursive: true });
await report(rows, {
  load: loadavg(),
  processors: availableParallelism(),
  line: LINE,
  adapterBytes: ADAPTER_BYTES,
  batchBytes: BATCH_BYTES,
  repeats: REPEATS,
  seconds: details,
});
