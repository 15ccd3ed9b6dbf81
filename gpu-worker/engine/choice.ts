/** Which engine a worker runs, read from flags: its own, llama.cpp, SGLang as its children, or servers that run already. */
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

const MAX_ENGINES = 64;

export type EngineChoice = { kind: 'embedded' } | LlamaCppChoice | SglangChoice | UrlChoice;

export interface LlamaCppChoice {
  kind: 'llama-cpp';
  /** What is served, of the model in the model folder; null: it is made from that folder. */
  gguf: string | null;
  /** Where the set-up put llama.cpp; null: `runtime/llama-cpp` of the worker's home folder. */
  folder: string | null;
  /** Tokens of a request and its answer, at most: memory is taken for them at the start. */
  context: number;
}

interface Shared {
  /** Interpreter with sglang-router, which stands before several; null: requests go to them by turns. */
  routerPython: string | null;
  /** Adapters at once. */
  maxAdapters: number;
}

export interface SglangChoice extends Shared {
  kind: 'sglang';
  /** Interpreter with sglang; null: the worker's own. */
  python: string | null;
  /** Servers, each on GPUs of its own. */
  count: number;
  gpusEach: number;
  /** GPUs before it are others'. */
  firstGpu: number;
  maxLoraRank: number;
  seed: number;
  determinism: 'off' | 'batch-invariant';
  extra: readonly string[];
}

export interface UrlChoice extends Shared {
  kind: 'url';
  /** Origins without a slash at the end. */
  urls: readonly string[];
  key: string | null;
  adminKey: string | null;
}

const text = { type: 'string' } as const;

/** Of ENGINE_FLAGS, in `--help`. */
export const ENGINE_USAGE = `  --engine KIND            embedded; llama-cpp; sglang: started and restarted here; url: servers of SGLang that
                           run already (embedded)
  --gguf FILE              with llama-cpp: what it serves, of the very model in --model (made from that folder)
  --context N              with llama-cpp: tokens of a request and its answer, at most (8192)
  --llama-cpp DIR          where --setup put it (HOME/runtime/llama-cpp)
  --engine-python FILE     with sglang (the same as --python)
  --engines N              servers of SGLang, each on GPUs of its own (1)
  --gpus-per-engine N      (1)
  --engine-args="TEXT"     more flags for SGLang, as on its command line
  --engine-url URL         of a server that runs already; repeatable; its keys in APPRENTICE_ENGINE_KEY and
                           APPRENTICE_ENGINE_ADMIN_KEY. It must find the adapters of HOME under the same path
  --router-python FILE     with sglang-router, which then stands before several servers
  --max-adapters N         in the engine at once (8)
  --max-lora-rank N        of any adapter (64)
  --engine-seed N          where a request brings none (0)
  --deterministic          the same answer in every batch, slower
  --judge-model DIR        a second model in an engine of its own, for votes; with sglang on the GPUs behind the others
  --judge-gpus N           (1)
`;

/** For `parseArgs`. */
export const ENGINE_FLAGS = {
  engine: text,
  gguf: text,
  context: text,
  'llama-cpp': text,
  engines: text,
  'gpus-per-engine': text,
  'engine-python': text,
  'engine-args': text,
  'engine-url': { ...text, multiple: true },
  'router-python': text,
  'max-adapters': text,
  'max-lora-rank': text,
  'engine-seed': text,
  deterministic: { type: 'boolean' },
  'judge-model': text,
  'judge-gpus': text,
} as const;

const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const Flags = z.object({
  engine: z.enum(['embedded', 'llama-cpp', 'sglang', 'url']).default('embedded'),
  gguf: z.string().min(1).nullable().default(null),
  context: count(256, 1_048_576).default(8192),
  'llama-cpp': z.string().min(1).nullable().default(null),
  engines: count(1, MAX_ENGINES).default(1),
  'gpus-per-engine': count(1, 64).default(1),
  'engine-python': z.string().min(1).nullable().default(null),
  'engine-args': z.string().default(''),
  'engine-url': z
    .array(z.url({ protocol: /^https?$/ }))
    .max(MAX_ENGINES)
    .default([]),
  'router-python': z.string().min(1).nullable().default(null),
  'max-adapters': count(1, 256).default(8),
  'max-lora-rank': count(1, 256).default(64),
  'engine-seed': count(0, 2 ** 31 - 1).default(0),
  deterministic: z.boolean().default(false),
  'judge-model': z.string().min(1).nullable().default(null),
  'judge-gpus': count(1, 64).default(1),
});

/**
 * From what `parseArgs` gives for ENGINE_FLAGS; keys of servers that run already come in APPRENTICE_ENGINE_KEY and
 * APPRENTICE_ENGINE_ADMIN_KEY. Throws `invalid_request` naming each bad flag.
 */
export function readEngineChoice(values: Record<string, unknown>, env: NodeJS.ProcessEnv): EngineChoice {
  const parsed = Flags.safeParse(values);
  if (!parsed.success) throw wrong(z.prettifyError(parsed.error));
  const flags = parsed.data;
  const shared: Shared = { routerPython: flags['router-python'], maxAdapters: flags['max-adapters'] };
  if (flags.engine !== 'url' && flags['engine-url'].length > 0)
    throw wrong('--engine-url goes with --engine url');
  if (flags.engine !== 'llama-cpp' && flags.gguf !== null) throw wrong('--gguf goes with --engine llama-cpp');
  switch (flags.engine) {
    case 'embedded':
      return { kind: 'embedded' };
    case 'llama-cpp':
      return { kind: flags.engine, gguf: flags.gguf, folder: flags['llama-cpp'], context: flags.context };
    case 'url':
      if (flags['engine-url'].length === 0) throw wrong('--engine url needs an --engine-url');
      return {
        kind: 'url',
        ...shared,
        urls: flags['engine-url'].map((url) => url.replace(/\/+$/, '')),
        key: env['APPRENTICE_ENGINE_KEY'] ?? null,
        adminKey: env['APPRENTICE_ENGINE_ADMIN_KEY'] ?? null,
      };
    case 'sglang':
      return {
        kind: 'sglang',
        ...shared,
        python: flags['engine-python'],
        count: flags.engines,
        gpusEach: flags['gpus-per-engine'],
        firstGpu: 0,
        maxLoraRank: flags['max-lora-rank'],
        seed: flags['engine-seed'],
        determinism: flags.deterministic ? 'batch-invariant' : 'off',
        extra: flags['engine-args'].split(/\s+/).filter((part) => part !== ''),
      };
  }
}

/** A second engine, for the votes of a judge: one server, no adapters. */
export interface JudgeChoice {
  model: string;
  engine: { kind: 'embedded' } | SglangChoice;
}

/**
 * From the same flags; null: there is none. Servers that run already are asked at their own address instead (`judge.url`
 * in config.json), so the judge's model is beside them an embedded one.
 */
export function readJudgeChoice(values: Record<string, unknown>, env: NodeJS.ProcessEnv): JudgeChoice | null {
  const engine = readEngineChoice(values, env);
  const flags = Flags.parse(values);
  const model = flags['judge-model'];
  if (model === null) return null;
  if (engine.kind !== 'sglang') return { model, engine: { kind: 'embedded' } };
  const firstGpu = engine.count * engine.gpusEach;
  return {
    model,
    engine: {
      ...engine,
      count: 1,
      gpusEach: flags['judge-gpus'],
      firstGpu,
      maxAdapters: 0,
      routerPython: null,
      extra: [],
    },
  };
}

function wrong(what: string): ApprenticeError {
  return new ApprenticeError('invalid_request', `${what}.`, 'See apprentice-worker --help.');
}
