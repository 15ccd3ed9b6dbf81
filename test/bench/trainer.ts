/**
 * The torch trainer beside transformers with PEFT, in one run, turn about, on the same batches: tokens a second, and the
 * most memory that each process held meanwhile (Linux only; its own count). Ours includes what a step of the product
 * has besides: reading the batch, the look at how far the step moved, writing adapter and moments. On a CUDA GPU the
 * Megatron trainer takes part too, alone over NCCL, and the memory is the GPU's, CUDA's own included.
 * `node test/bench/trainer.ts --json FILE`
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeBatch } from '../../agent-server/learning/batch.ts';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import { demonstrationRow } from '../../agent-server/learning/demonstration.ts';
import { sampledSupport } from '../../agent-server/learning/rows.ts';
import { sha256 } from '../../agent-server/loops/batch-folder.ts';
import { BASE_VERSION, BatchId, SampleId, weightVersion } from '../../agent-server/protocol/ids.ts';
import type { BatchManifest } from '../../agent-server/protocol/training.ts';
import { megatronBackend } from '../../gpu-worker/trainer/megatron.ts';
import type { PythonBackend } from '../../gpu-worker/trainer/python-backend.ts';
import { torchBackend } from '../../gpu-worker/trainer/torch.ts';
import type { TrainBackend } from '../../gpu-worker/trainer/trainer.ts';
import { megatron } from '../fixtures/megatron.ts';
import { runtime } from '../fixtures/runtime.ts';
import { startPeer } from './peer.ts';
import { median, never, type Row, report } from './rig.ts';

interface Shape {
  name: string;
  samples: number;
  tokensEach: number;
  rounds: number;
  /** At least so many times as fast as PEFT, with at most this share of its memory. */
  aim: { speed: number | null; memory: number | null };
}

const SHAPES: readonly Shape[] = [
  { name: '8 samples of 256', samples: 8, tokensEach: 256, rounds: 3, aim: { speed: 1.3, memory: 0.5 } },
  { name: '1 sample of 512', samples: 1, tokensEach: 512, rounds: 3, aim: { speed: null, memory: null } },
  { name: '1 sample of 2,048', samples: 1, tokensEach: 2048, rounds: 2, aim: { speed: null, memory: 0.5 } },
  { name: '1 sample of 8,192', samples: 1, tokensEach: 8192, rounds: 1, aim: { speed: null, memory: null } },
];
const onGpu = runtime().device !== 'cpu';
const TRAINERS: Record<string, () => PythonBackend> = {
  torch: () => torchBackend({ ...runtime(), threads: null, log }),
  ...(runtime().device.startsWith('cuda') && {
    Megatron: () => megatronBackend({ ...runtime(), threads: null, log }, megatron({})),
  }),
};

/** Of a sample, the response: what is corrected is shorter than what it is asked of. */
const RESPONSE_SHARE = 0.25;

/** A batch of demonstrations, no two of which begin alike. */
async function writeBatch(root: string, { samples, tokensEach }: Shape): Promise<string> {
  const rows = Array.from({ length: samples }, (_, sample) => {
    const ids = Array.from({ length: tokensEach }, (_, at) => 1_000 + ((sample * 7_919 + at * 131) % 40_000));
    const from = Math.round(tokensEach * (1 - RESPONSE_SHARE));
    const response = ids.slice(from);
    const unknown = response.map(() => Number.NaN);
    const support = sampledSupport(
      response,
      unknown,
      response.map(() => 0.1),
    );
    return { ...demonstrationRow(ids.slice(0, from), response, 1), support };
  });
  const tensors = encodeBatch(rows);
  const manifest: BatchManifest = {
    format: 1,
    batchId: BatchId.parse(randomUUID()),
    parent: BASE_VERSION,
    version: weightVersion(1),
    rows: rows.map(() => ({
      sampleId: SampleId.parse(randomUUID()),
      role: 'demonstration',
      origin: 'new',
    })),
    hyperparameters: { ...LearningConfig.parse({}).hyperparameters, steps: 1 },
    tensorsSha256: sha256(tensors),
  };
  const folder = join(root, 'batch');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'batch.safetensors'), tensors);
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

/** Most bytes that a process has held since `forgetPeak`, on a GPU since it began; null where nobody counts them. */
async function peakBytes(pid: number): Promise<number | null> {
  if (onGpu) return await gpuBytes(pid);
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return null;
  const kilobytes = (await readFile(file, 'utf8')).match(/^VmHWM:\s+(\d+) kB$/m)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** What a process holds of the GPU: torch keeps what a step took. */
async function gpuBytes(pid: number): Promise<number | null> {
  const query = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'];
  const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 30_000 });
  const megabytes = new RegExp(`^${pid}, (\\d+)$`, 'm').exec(stdout)?.[1];
  return megabytes === undefined ? null : Number(megabytes) * 1024 * 1024;
}

const READY_LIMIT_MS = 300_000;

/** Waits until the model is loaded. */
async function ready(backend: TrainBackend): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const limit = AbortSignal.timeout(READY_LIMIT_MS);
  const look = () => {
    if (backend.state().state === 'ready' || limit.aborted) resolve();
  };
  const unsubscribe = backend.onStateChange(look);
  limit.addEventListener('abort', look, { once: true });
  look();
  await promise;
  unsubscribe();
  limit.throwIfAborted();
}

/** What loading the model took is not what a step takes. */
async function forgetPeak(pid: number): Promise<void> {
  // 5 sets the peak to what is held now (proc(5)).
  if (existsSync(`/proc/${pid}/clear_refs`)) await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** Of one process: seconds of each round that counts, and the most memory. */
interface Figures {
  seconds: number[];
  bytes: number | null;
}

interface Measured {
  /** By the names of TRAINERS. */
  ours: Record<string, Figures>;
  peft: Figures;
  /** What PEFT's process said where the batch did not fit. */
  refused: string | null;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One of our trainers, started; each step goes on from what the last one wrote below `root`. */
async function startTrainer(backend: PythonBackend, batch: string, root: string) {
  backend.start();
  await ready(backend);
  await mkdir(root);
  let steps = 0;
  const path = (step: number) => join(root, `v${step}`);
  return {
    pid: backend.pid() ?? 0,
    step: async () => {
      steps += 1;
      await mkdir(path(steps));
      const { seconds } = await backend.run(
        {
          batchFolder: batch,
          parentFolder: steps > 1 ? path(steps - 1) : null,
          optimizerFile: steps > 1 ? `${path(steps - 1)}.moments` : null,
          out: path(steps),
          optimizerOut: `${path(steps)}.moments`,
        },
        () => {},
        never,
      );
      return seconds;
    },
    stop: () => backend.stop(),
  };
}

async function measure(shape: Shape): Promise<Measured> {
  const { python, model, device } = runtime();
  const root = await mkdtemp(join(tmpdir(), 'apprentice-bench-'));
  const batch = await writeBatch(root, shape);
  const measured: Measured = { ours: {}, peft: { seconds: [], bytes: null }, refused: null };
  const peer = await startPeer(python, [join(import.meta.dirname, 'peft_peer.py'), model, device]);
  const trainers = new Map<string, Awaited<ReturnType<typeof startTrainer>>>();
  for (const [name, start] of Object.entries(TRAINERS)) {
    trainers.set(name, await startTrainer(start(), batch, join(root, name)));
    measured.ours[name] = { seconds: [], bytes: null };
  }
  // A first step of each allocates what the others use again; where one takes minutes it is the one that counts.
  const warmUps = shape.rounds > 1 ? 1 : 0;
  for (let round = -warmUps; round < shape.rounds; round += 1) {
    const told: string[] = [];
    for (const [name, trainer] of trainers) {
      const own = measured.ours[name];
      await forgetPeak(trainer.pid);
      const seconds = await trainer.step();
      if (own) own.bytes = await peakBytes(trainer.pid);
      if (round >= 0) own?.seconds.push(seconds);
      told.push(`${name} ${seconds.toFixed(3)} s`);
    }
    if (measured.refused === null) {
      await forgetPeak(peer.pid);
      const { seconds, refused } = await peer.ask({ op: 'step', batch });
      if (refused !== undefined) measured.refused = refused;
      else if (round >= 0) measured.peft.seconds.push(seconds);
      measured.peft.bytes = await peakBytes(peer.pid);
      told.push(`PEFT ${refused ?? `${seconds.toFixed(3)} s`}`);
    }
    log(`${shape.name}: ${told.join(', ')}`);
  }
  peer.stop();
  for (const trainer of trainers.values()) await trainer.stop();
  await rm(root, { recursive: true, force: true });
  return measured;
}

function rows(shape: Shape, { ours, peft }: Measured): Row[] {
  const tokens = shape.samples * shape.tokensEach;
  const plain = (name: string, value: number, unit: string): Row => ({
    ...{ name: `${shape.name}, ${name}`, value, unit },
    ...{ aim: null, met: null },
  });
  const found = Object.entries(ours).flatMap(([name, { seconds, bytes }]) => {
    const who = name === 'torch' ? '' : `${name} `;
    const speed = median(peft.seconds.map((theirs, round) => theirs / (seconds[round] ?? Number.NaN)));
    const memory = (bytes ?? Number.NaN) / (peft.bytes ?? Number.NaN);
    // Aims are those of a processor.
    const aim = onGpu ? { speed: null, memory: null } : shape.aim;
    return [
      {
        ...plain(`${who}speed / PEFT`, speed, 'x'),
        ...(aim.speed !== null && { aim: `at least ${aim.speed}`, met: speed >= aim.speed }),
      },
      {
        ...plain(`${who}memory / PEFT`, memory, 'x'),
        ...(aim.memory !== null && { aim: `at most ${aim.memory}`, met: memory <= aim.memory }),
      },
      plain(`${who}speed`, tokens / median(seconds), 'tokens/s'),
      plain(`${who}most memory`, (bytes ?? Number.NaN) / 1e9, 'GB'),
    ];
  });
  found.push(plain('most memory of PEFT', (peft.bytes ?? Number.NaN) / 1e9, 'GB'));
  return found.filter(({ value }) => !Number.isNaN(value));
}

const all: Row[] = [];
const details: Record<string, Measured> = {};
for (const shape of SHAPES) {
  const measured = await measure(shape);
  details[shape.name] = measured;
  all.push(...rows(shape, measured));
}
await report(all, { responseShare: RESPONSE_SHARE, shapes: details });
