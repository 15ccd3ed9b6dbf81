/**
 * The llama.cpp engine's process: commands and events of engine/messages.ts as JSON lines. Makes the GGUF file where none
 * is named, loads it, and ends with its standard input.
 * `--model DIR --addon FILE --cache DIR --context N --max-running N [--gguf FILE] [--threads N]`
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ApprenticeError, toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { baseModelName } from '../../weights/base-model.ts';
import type { Command, EngineEvent } from '../messages.ts';
import { type Addon, type AddonContext, type AddonModel, loadAddon } from './addon.ts';
import { checkGguf } from './check-gguf.ts';
import { convertModel } from './convert-model.ts';
import { LlamaCppEngine } from './engine.ts';
import { GGML_TYPE, TYPE_BYTES } from './gguf.ts';
import { readGgufHeader, weightType } from './gguf-header.ts';
import { type ModelShape, readModelShape } from './model-shape.ts';
import { largestBatch, Scheduler } from './scheduler.ts';

/** Of keys and values; more sequences than one are given up for it. */
const CACHE_BYTES = 2 * 1024 ** 3;
/** llama.cpp rounds the tokens of a sequence up to it. */
const CONTEXT_STEP = 256;
/** A pass that is under way when the input ends; then the process is ended hard. */
const END_LIMIT_MS = 1_000;

const Flags = z.object({
  model: z.string().min(1),
  addon: z.string().min(1),
  cache: z.string().min(1),
  gguf: z.string().min(1).optional(),
  context: z.coerce.number().int().min(256),
  'max-running': z.coerce.number().int().min(1),
  threads: z.coerce.number().int().min(1).optional(),
});
type Flags = z.infer<typeof Flags>;

const text = { type: 'string' } as const;
const OPTIONS = {
  ...{ model: text, addon: text, cache: text, gguf: text },
  ...{ context: text, 'max-running': text, threads: text },
};

const send = (event: EngineEvent) => process.stdout.write(`${JSON.stringify(event)}\n`);
const say = (line: string) => process.stderr.write(line.endsWith('\n') ? line : `${line}\n`);

async function main(): Promise<void> {
  const flags = Flags.parse(parseArgs({ options: OPTIONS }).values);
  const ending = new AbortController();
  let engine: LlamaCppEngine | null = null;
  createInterface({ input: process.stdin })
    // Written by the worker of the same version, and only once this one has said that it is ready.
    .on('line', (line) => engine?.receive(JSON.parse(line) as Command))
    .once('close', () => {
      // What llama.cpp computes meanwhile must not lose its memory under it: a pass ends first, within a limit.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), END_LIMIT_MS);
      ending.abort(new Error('the parent is gone'));
    });
  const shape = await readModelShape(flags.model);
  const { file, dtype } = await ggufFile(flags, shape, ending.signal);
  const addon = await loadAddon(flags.addon, say);
  const model = new addon.AddonModel(file, { addonExports: addon, gpuLayers: 0, useMmap: true });
  if (!(await model.init()))
    throw new ApprenticeError(
      'setup_failed',
      `llama.cpp does not load ${file}.`,
      'The lines above in engine.log say why; name another GGUF file.',
    );
  // As exact as the weights: in float16 an answer that begins from a cache can differ from one that does not.
  const kept = dtype === 'F32' ? 'F32' : 'F16';
  const { context, sequences } = await openContext(addon, model, shape, kept, flags);
  ending.signal.throwIfAborted();
  const scheduler = new Scheduler({ addon, model, context, sequences, vocabulary: shape.vocabulary, send });
  engine = new LlamaCppEngine({ addon, model, shape, scheduler, send });
  send({ type: 'ready', vocab_size: shape.vocabulary, device: 'cpu', dtype });
  await engine.run(ending.signal);
  process.exit(0);
}

/** The file that was named, once it is known to be this model's; else one that is made from the folder, once. */
async function ggufFile(
  { model, gguf, cache }: Flags,
  shape: ModelShape,
  signal: AbortSignal,
): Promise<{ file: string; dtype: string }> {
  if (gguf !== undefined) return { file: gguf, dtype: weightType(await checkGguf(gguf, model, shape)) };
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const name = `${await baseModelName(model)}.gguf`;
  const held = await readdir(cache);
  // Of another model, or of a run that was cut off: each is as large as the model.
  for (const other of held) if (other !== name) await rm(join(cache, other), { force: true });
  const file = join(cache, name);
  if (!held.includes(name)) {
    say(`Making ${file} from ${model}.`);
    await convertModel(model, shape, file, signal);
  }
  return { file, dtype: weightType(await readGgufHeader(file)) };
}

async function openContext(
  addon: Addon,
  model: AddonModel,
  shape: ModelShape,
  kept: 'F32' | 'F16',
  { context: tokens, 'max-running': maxRunning, threads }: Flags,
): Promise<{ context: AddonContext; sequences: number }> {
  const length = Math.ceil(Math.min(tokens, shape.contextLength) / CONTEXT_STEP) * CONTEXT_STEP;
  const sequenceBytes = 2 * shape.layers * shape.kvHeads * shape.headSize * length * TYPE_BYTES[kept];
  const sequences = Math.max(1, Math.min(maxRunning, Math.floor(CACHE_BYTES / sequenceBytes)));
  if (sequences < maxRunning)
    say(`${sequences} requests at once, not ${maxRunning}: each takes ${sequenceBytes} bytes of cache.`);
  const context = new addon.AddonContext(model, {
    contextSize: length * sequences,
    batchSize: largestBatch(sequences),
    sequences,
    // It adds up in fewer bits on a processor: a prompt read at once then differs by 1e-3 nats from one read by tokens.
    flashAttention: false,
    kvCacheKeyType: GGML_TYPE[kept],
    kvCacheValueType: GGML_TYPE[kept],
    ...(threads !== undefined && { threads }),
  });
  if (await context.init()) return { context, sequences };
  throw new ApprenticeError(
    'setup_failed',
    `llama.cpp has no memory for ${sequences} requests of ${length} tokens.`,
    'Take less with --context or --max-running.',
  );
}

main().catch((thrown: unknown) => {
  const { message, remedy } = toApprenticeError(thrown);
  say(`${message} ${remedy}`);
  process.exit(1);
});
