/** Which engine the worker of this machine runs: `worker.engine` in config.json. Every default stands here, once. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';

const Interpreter = z.string().min(1).nullable().default(null);
const Url = z.url({ protocol: /^https?$/ });

const shared = {
  /** With sglang-router, which then stands before several servers; null: requests go to them by turns. */
  routerPython: Interpreter,
  /** Adapters in the engine at once. */
  maxAdapters: z.number().int().min(1).max(256).default(8),
};

/** A bare kind is its defaults: `"engine": "sglang"`. */
export const EngineConfig = z.preprocess(
  (value) => (typeof value === 'string' ? { kind: value } : value),
  z.discriminatedUnion('kind', [
    /** Our own, small models, with or without a GPU. */
    z.strictObject({ kind: z.literal('embedded') }),
    /** llama.cpp on the processor: models of some billion parameters, without a GPU. */
    z.strictObject({
      kind: z.literal('llama-cpp'),
      /** What is served, of the very model in the model folder; null: it is made from that folder. */
      gguf: z.string().min(1).nullable().default(null),
      /** Where the set-up put llama.cpp; null: APPRENTICE_LLAMA_CPP, else `<home>/runtime/llama-cpp`. */
      folder: z.string().min(1).nullable().default(null),
      /** Tokens of a request and its answer, at most. */
      context: z.number().int().min(256).max(1_048_576).default(8192),
    }),
    /** `sglang.launch_server`, started, restarted and ended by the worker. */
    z.strictObject({
      kind: z.literal('sglang'),
      /** With sglang; null: the worker's. */
      python: Interpreter,
      /** Servers, each on GPUs of its own. */
      count: z.number().int().min(1).max(64).default(1),
      gpusEach: z.number().int().min(1).max(64).default(1),
      maxLoraRank: z.number().int().min(1).max(256).default(64),
      seed: z.number().int().min(0).default(0),
      /** The same answer in every batch, slower. */
      deterministic: z.boolean().default(false),
      /** More flags for SGLang, as on its command line. */
      args: z.string().default(''),
      ...shared,
    }),
    /** Servers of SGLang that run already and read the same disk. */
    z.strictObject({
      kind: z.literal('url'),
      urls: z.array(Url).min(1).max(64),
      /** Bearer keys; APPRENTICE_ENGINE_KEY and APPRENTICE_ENGINE_ADMIN_KEY in the environment win. */
      key: z.string().min(1).nullable().default(null),
      adminKey: z.string().min(1).nullable().default(null),
      ...shared,
    }),
  ]),
);
export type EngineConfig = z.infer<typeof EngineConfig>;

/**
 * The engine by the environment (APPRENTICE_ENGINE, APPRENTICE_ENGINE_URL, APPRENTICE_GGUF), which VS Code's settings
 * fill; where the file names the same kind, the rest of it holds. Throws `invalid_request` for a kind or a URL that is
 * none.
 */
export function chosenEngine(config: EngineConfig, env: NodeJS.ProcessEnv): EngineConfig {
  const kind = env['APPRENTICE_ENGINE'];
  const url = env['APPRENTICE_ENGINE_URL'];
  const gguf = env['APPRENTICE_GGUF'];
  if (!kind) return config;
  const base = config.kind === kind ? config : { kind };
  const parsed = EngineConfig.safeParse({
    ...base,
    ...(kind === 'url' && url ? { urls: [url] } : {}),
    ...(kind === 'llama-cpp' && gguf ? { gguf } : {}),
  });
  if (parsed.success) return parsed.data;
  throw new ApprenticeError(
    'invalid_request',
    `The engine ${kind} cannot be used: ${z.prettifyError(parsed.error)}`,
    'See the setting apprentice.worker.engine, or unset APPRENTICE_ENGINE.',
  );
}

/**
 * What the gpu-worker is started with for it: flags (gpu-worker/engine/choice.ts), and keys, which are no arguments.
 * `judgeModel`: the folder of a second model, for votes. `llamaCpp`: where the set-up puts that engine.
 */
export function engineArguments(
  engine: EngineConfig,
  judgeModel: string | null,
  llamaCpp: string,
): { flags: string[]; env: Record<string, string> } {
  const judge = judgeModel === null ? [] : ['--judge-model', judgeModel];
  if (engine.kind === 'embedded') return { flags: judge, env: {} };
  if (engine.kind === 'llama-cpp') {
    const gguf = engine.gguf === null ? [] : ['--gguf', engine.gguf];
    const place = ['--llama-cpp', engine.folder ?? llamaCpp, '--context', String(engine.context)];
    return { flags: [...judge, '--engine', engine.kind, ...place, ...gguf], env: {} };
  }
  const flags = [...judge, '--engine', engine.kind, '--max-adapters', String(engine.maxAdapters)];
  if (engine.routerPython !== null) flags.push('--router-python', engine.routerPython);
  if (engine.kind === 'url') {
    for (const url of engine.urls) flags.push('--engine-url', url);
    return {
      flags,
      env: {
        ...(engine.key !== null && { APPRENTICE_ENGINE_KEY: engine.key }),
        ...(engine.adminKey !== null && { APPRENTICE_ENGINE_ADMIN_KEY: engine.adminKey }),
      },
    };
  }
  flags.push('--engines', String(engine.count), '--gpus-per-engine', String(engine.gpusEach));
  flags.push('--max-lora-rank', String(engine.maxLoraRank), '--engine-seed', String(engine.seed));
  if (engine.deterministic) flags.push('--deterministic');
  if (engine.python !== null) flags.push('--engine-python', engine.python);
  // One argument with its value: it begins with dashes itself.
  if (engine.args !== '') flags.push(`--engine-args=${engine.args}`);
  return { flags, env: {} };
}
