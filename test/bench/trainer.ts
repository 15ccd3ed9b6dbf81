/**
 * The torch trainer beside transformers with PEFT, in one run, turn about, on the same batches: tokens a second, and the
 * most memory that each process held meanwhile (Linux only; its own count). Ours includes what a step of the product
 * has besides: reading the batch, the look at how far the step moved, writing adapter and moments.
 * `node test/bench/trainer.ts --json FILE`
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeBatch } from '../../agent-server/learning/batch.ts';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import { demonstrationRow } from '../../agent-server/learning/demonstration.ts';
import { sampledSupport } from '../../agent-server/learning/rows.ts';
import { sha256 } from '../../agent-server/loops/batch-folder.ts';
import { BASE_VERSION, BatchId, SampleId, weightVersion } from '../../agent-server/protocol/ids.ts';
import type { BatchManifest } from '../../agent-server/protocol/training.ts';
import { torchBackend } from '../../gpu-worker/trainer/torch.ts';
import type { TrainBackend } from '../../gpu-worker/trainer/trainer.ts';
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

/** Most bytes that a process has held since `forgetPeak`; null where the system does not count them. */
async function peakBytes(pid: number): Promise<number | null> {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return null;
  const kilobytes = (await readFile(file, 'utf8')).match(/^VmHWM:\s+(\d+) kB$/m)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
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

interface Measured {
  oursSeconds: number[];
  peftSeconds: number[];
  oursBytes: number | null;
  peftBytes: number | null;
  /** What PEFT's process said where the batch did not fit. */
  refused: string | null;
}

async function measure(shape: Shape, log: (line: string) => void): Promise<Measured> {
  const { python, model } = runtime();
  const root = await mkdtemp(join(tmpdir(), 'apprentice-bench-'));
  const batch = await writeBatch(root, shape);
  const backend = torchBackend({ python, model, threads: null, log });
  backend.start();
  const peer = await startPeer(python, [join(import.meta.dirname, 'peft_peer.py'), model]);
  await ready(backend);
  let steps = 0;
  const path = (step: number) => join(root, `v${step}`);
  const oneStep = async () => {
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
  };
  const measured: Measured = {
    oursSeconds: [],
    peftSeconds: [],
    oursBytes: null,
    peftBytes: null,
    refused: null,
  };
  // A first step of each allocates what the others use again; where one takes minutes it is the one that counts.
  const warmUps = shape.rounds > 1 ? 1 : 0;
  for (let round = -warmUps; round < shape.rounds; round += 1) {
    await forgetPeak(backend.pid() ?? 0);
    const ours = await oneStep();
    measured.oursBytes = await peakBytes(backend.pid() ?? 0);
    let peft = Number.NaN;
    if (measured.refused === null) {
      await forgetPeak(peer.pid);
      const { seconds, refused } = await peer.ask({ op: 'step', batch });
      if (refused !== undefined) measured.refused = refused;
      else peft = seconds;
      measured.peftBytes = await peakBytes(peer.pid);
    }
    log(`${shape.name}: ours ${ours.toFixed(2)} s, PEFT ${measured.refused ?? `${peft.toFixed(2)} s`}`);
    if (round < 0) continue;
    measured.oursSeconds.push(ours);
    if (measured.refused === null) measured.peftSeconds.push(peft);
  }
  peer.stop();
  await backend.stop();
  await rm(root, { recursive: true, force: true });
  return measured;
}

function rows(shape: Shape, measured: Measured): Row[] {
  const tokens = shape.samples * shape.tokensEach;
  const { oursSeconds, peftSeconds, oursBytes, peftBytes } = measured;
  const speed = median(peftSeconds.map((seconds, round) => seconds / (oursSeconds[round] ?? Number.NaN)));
  const memory = (oursBytes ?? Number.NaN) / (peftBytes ?? Number.NaN);
  const compared = (name: string, value: number, aim: number | null, met: boolean): Row => ({
    name: `${shape.name}, ${name}`,
    value,
    unit: 'x',
    aim: aim === null ? null : name === 'speed / PEFT' ? `at least ${aim}` : `at most ${aim}`,
    met: aim === null ? null : met,
  });
  const plain = (name: string, value: number, unit: string): Row => ({
    name: `${shape.name}, ${name}`,
    value,
    unit,
    aim: null,
    met: null,
  });
  const found = [
    compared('speed / PEFT', speed, shape.aim.speed, speed >= (shape.aim.speed ?? 0)),
    compared('memory / PEFT', memory, shape.aim.memory, memory <= (shape.aim.memory ?? 1)),
    plain('speed', tokens / median(oursSeconds), 'tokens/s'),
    plain('most memory', (oursBytes ?? Number.NaN) / 1e9, 'GB'),
    plain('most memory of PEFT', (peftBytes ?? Number.NaN) / 1e9, 'GB'),
  ];
  return found.filter(({ value }) => !Number.isNaN(value));
}

const all: Row[] = [];
const details: Record<string, Measured> = {};
for (const shape of SHAPES) {
  const measured = await measure(shape, (line) => process.stderr.write(`${line}\n`));
  details[shape.name] = measured;
  all.push(...rows(shape, measured));
}
await report(all, { responseShare: RESPONSE_SHARE, shapes: details });
