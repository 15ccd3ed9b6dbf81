/**
 * What the benches of the agent-server run on: the real gpu-worker with the real model, and the gateway before
 * it, in a home folder of their own.
 */
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Engine } from '../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../agent-server/engine/http-engine.ts';
import { Serving } from '../../agent-server/engine/serving.ts';
import { suppliedEngine } from '../../agent-server/engine/supplied-engine.ts';
import { type Gateway, startGateway } from '../../agent-server/gateway/gateway.ts';
import { PromptSource } from '../../agent-server/gateway/prompt-source.ts';
import { TurnRunner } from '../../agent-server/gateway/turn-runner.ts';
import { encodeBatch } from '../../agent-server/learning/batch.ts';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import { demonstrationRow } from '../../agent-server/learning/demonstration.ts';
import { sampledSupport } from '../../agent-server/learning/rows.ts';
import { batchFolders, sha256 } from '../../agent-server/loops/batch-folder.ts';
import { watchEngine } from '../../agent-server/loops/engine-watch.ts';
import { WorkerLink } from '../../agent-server/loops/worker-link.ts';
import { WorkerProcess } from '../../agent-server/loops/worker-process.ts';
import {
  BASE_VERSION,
  BatchId,
  SampleId,
  type WeightVersion,
  weightVersion,
} from '../../agent-server/protocol/ids.ts';
import type { BatchManifest, Lineage } from '../../agent-server/protocol/training.ts';
import { openStore } from '../../agent-server/store/sqlite-store.ts';
import { runtime } from '../fixtures/runtime.ts';

export const TOKEN = 'a-token-for-benches';
export const never = new AbortController().signal;

const REQUEST =
  'Write the commit message for this change.\n\nsrc/greet.ts +2 -1\n\n-console.log("helo")\n+console.log("hello")\n';
const REWRITE =
  'fix: spell the greeting right\n\nIt said helo since the first release, and nobody dared to ask.';

export interface Rig {
  home: string;
  engine: Engine;
  serving: Serving;
  link: WorkerLink;
  prompts: PromptSource;
  gateway: Gateway;
  /** Trains a version by one demonstration of some 30 tokens, `rows` times in the batch. */
  train(parent: WeightVersion, version: WeightVersion, rows: number): Promise<void>;
  /** A version with the weights of another, in a folder of its own. */
  copyVersion(from: WeightVersion, to: WeightVersion): Promise<void>;
  close(): Promise<void>;
}

/** Starts everything and waits until the model answers. */
export async function startRig(): Promise<Rig> {
  const home = await mkdtemp(join(tmpdir(), 'apprentice-bench-'));
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const worker = new WorkerProcess({ home, ...runtime(), threads: null, maxRunning: 8, log });
  const link: WorkerLink = new WorkerLink({
    endpoint: worker.endpoint,
    owner: randomUUID(),
    adapters: join(home, 'adapters'),
    known: () => Array.from({ length: 64 }, (_, index) => weightVersion(index + 1)),
    serving: () => serving.version,
    log,
  });
  const engine = suppliedEngine(new HttpEngine(worker.endpoint), (version, signal) =>
    link.supply(version, signal),
  );
  const adapter = (version: WeightVersion) => join(home, 'adapters', version);
  const { store } = await openStore(':memory:');
  const serving = new Serving({
    engine,
    serving: BASE_VERSION,
    folderOf: adapter,
    onUnloadError: (version, error) => log(`${version}: ${error.message}`),
    waitMs: 120_000,
  });
  const prompts = new PromptSource(engine);
  const unwatch = watchEngine(link, serving, prompts);
  worker.onChange((endpoint) => {
    if (endpoint) link.connect();
  });
  worker.start();
  const turns = new TurnRunner({ store, engine, serving, prompts, maxTurns: 64, nowMs: Date.now });
  const gateway = await startGateway({ turns, serving, prompts, keys: [TOKEN], port: 0, nowMs: Date.now });
  const folders = batchFolders(join(home, 'batches'));
  await folders.sweep(undefined);
  (await serving.acquire(never)).release();

  return {
    home,
    engine,
    serving,
    link,
    prompts,
    gateway,
    train: async (parent, version, rows) => {
      const prompt = await prompts.get(never);
      const rewriteIds = prompt.responseIds(REWRITE);
      const unknown = rewriteIds.map(() => Number.NaN);
      const demonstration = demonstrationRow(prompt.ids([{ role: 'user', content: REQUEST }]), rewriteIds, 1);
      // With a support beside the cross-entropy, as the default method's batches have: both terms cost time.
      const row = {
        ...demonstration,
        support: sampledSupport(
          rewriteIds,
          unknown,
          rewriteIds.map(() => 0.1),
        ),
      };
      const batchId = BatchId.parse(randomUUID());
      const tensors = encodeBatch(Array.from({ length: rows }, () => row));
      const manifest: BatchManifest = {
        format: 1,
        batchId,
        parent,
        version,
        rows: Array.from({ length: rows }, () => ({
          sampleId: SampleId.parse(randomUUID()),
          role: 'demonstration',
          origin: 'new',
        })),
        hyperparameters: LearningConfig.parse({}).hyperparameters,
        tensorsSha256: sha256(tensors),
      };
      const folder = await folders.write(manifest, tensors);
      await link.train(batchId, folder, AbortSignal.timeout(10 * 60_000));
    },
    copyVersion: async (from, to) => {
      await cp(adapter(from), adapter(to), { recursive: true });
      const file = join(adapter(to), 'lineage.json');
      const lineage: Lineage = { ...JSON.parse(await readFile(file, 'utf8')), version: to };
      await writeFile(file, JSON.stringify(lineage));
    },
    close: async () => {
      unwatch();
      link.close();
      await gateway.close();
      await worker.stop();
      store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Posts a chat completion to a gateway. */
export function postChat(
  gateway: Pick<Gateway, 'url'>,
  fields: object,
  signal: AbortSignal,
): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
      'x-apprentice-turn': 'side',
    },
    body: JSON.stringify({ model: 'apprentice', temperature: 0, ...fields }),
    signal,
  });
}

export interface StreamedTokens {
  /** The one version that answered. */
  version: string;
  /** performance.now() at each piece of text. */
  atMs: number[];
}

/** Streams one answer and notes when each piece came. Throws for a failed answer or one of two versions. */
export async function streamChat(
  gateway: Pick<Gateway, 'url'>,
  fields: object,
  signal: AbortSignal,
): Promise<StreamedTokens> {
  const response = await postChat(gateway, { stream: true, ...fields }, signal);
  const atMs: number[] = [];
  let text = '';
  if (!response.ok || !response.body) throw new Error(`Status ${response.status}: ${await response.text()}`);
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    if (piece.includes('"content":"') && !piece.includes('"content":""')) atMs.push(performance.now());
    text += piece;
  }
  const versions = new Set([...text.matchAll(/"model":"([^"]+)"/g)].map((match) => match[1]));
  const [version] = versions;
  if (versions.size !== 1 || version === undefined || !text.includes('[DONE]'))
    throw new Error(`A broken stream: ${text.slice(-400)}`);
  return { version, atMs };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}

export interface Row {
  name: string;
  value: number;
  unit: string;
  /** For a person: `under 5`. */
  aim: string | null;
  met: boolean | null;
}

/** Prints the result as the last line, as main.ts wants it, and writes it to the file of `--json`. */
export async function report(rows: readonly Row[], details: object): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'string' } } });
  const text = JSON.stringify({ rows, details });
  if (values.json !== undefined) await writeFile(values.json, `${text}\n`);
  process.stdout.write(`${text}\n`);
}
