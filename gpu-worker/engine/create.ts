/** The engine that was chosen, put together and not yet started. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Hono } from 'hono';
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { EngineChoice } from './choice.ts';
import { createEngine, type EngineOptions } from './embedded-engine.ts';
import { createLlamaCppEngine } from './llama-cpp/create.ts';
import { AttachedServer, type Given } from './sglang/attached-server.ts';
import { SGLANG_ENVIRONMENT, sglangFlags } from './sglang/flags.ts';
import { Fleet } from './sglang/fleet.ts';
import { type EngineServer, ForeignServer, newKey } from './sglang/foreign-server.ts';
import { sglangRoutes } from './sglang/pass-through.ts';
import { Router } from './sglang/router.ts';
import { SglangEngine } from './sglang/sglang-engine.ts';
import type { WorkerEngine } from './token-engine.ts';
import type { ModelTokenizer } from './tokenizer.ts';

/** Weights of hundreds of gigabytes, and graphs that are captured afterwards. */
const SGLANG_READY_LIMIT_MS = 30 * 60_000;

export interface CreateOptions extends EngineOptions {
  choice: EngineChoice;
  tokenizer: ModelTokenizer;
  /** The worker's: what an engine makes for itself is kept there. */
  home: string;
  /** Beside the process's own, for servers that are started. */
  env?: Readonly<Record<string, string>>;
}

const ModelConfig = z.object({ vocab_size: z.number().int(), dtype: z.string().nullish() });

/** The engine, and routes of its own that stand before those that every engine has. */
export interface CreatedEngine {
  engine: WorkerEngine;
  ownRoutes: Hono;
}

/** Throws `setup_failed` for a model without its sizes, `invalid_request` for flags that SGLang is not given. */
export async function createWorkerEngine(options: CreateOptions): Promise<CreatedEngine> {
  const { choice, tokenizer, model, log } = options;
  if (choice.kind === 'embedded') return { engine: createEngine(options), ownRoutes: new Hono() };
  if (choice.kind === 'llama-cpp')
    return { engine: createLlamaCppEngine(choice, options), ownRoutes: new Hono() };
  const several = (choice.kind === 'url' ? choice.urls.length : choice.count) > 1;
  const env = options.env ?? {};
  // One for all that are asked: a router hands on the one that it was given.
  const key = (choice.kind === 'url' ? choice.key : null) ?? newKey();
  const router =
    several && choice.routerPython !== null
      ? new Router({ python: choice.routerPython, key, env, log })
      : null;
  // Servers that run already ask what they were given of the fleet that they are in.
  const given: Given = { adapters: () => fleet.adapters.keys(), label: () => fleet.label };
  const servers: EngineServer[] =
    choice.kind === 'url'
      ? choice.urls.map((url) => {
          const endpoint = { url, key: choice.key, adminKey: choice.adminKey };
          return new AttachedServer({ endpoint, given, log });
        })
      : Array.from({ length: choice.count }, (_, index) => {
          const gpus = [
            '--tp-size',
            String(choice.gpusEach),
            '--base-gpu-id',
            String(choice.firstGpu + index * choice.gpusEach),
          ];
          const { maxAdapters, maxLoraRank, seed, determinism, extra } = choice;
          return new ForeignServer({
            name: several ? `SGLang ${index + 1}` : 'SGLang',
            python: choice.python ?? options.python,
            module: 'sglang.launch_server',
            flags: sglangFlags({
              ...{ model, modelName: basename(model), maxAdapters, maxLoraRank, seed, determinism },
              maxRunning: options.maxRunning,
              extra: [...gpus, ...extra],
            }),
            readyPath: '/health_generate',
            key,
            adminKey: 'own',
            readyTimeoutMs: SGLANG_READY_LIMIT_MS,
            env: { ...env, ...SGLANG_ENVIRONMENT },
            log,
          });
        });
  const fleet = new Fleet(servers, router, log);
  const { vocab_size, dtype } = await modelConfig(model);
  const engine = new SglangEngine({
    model,
    info: {
      type: 'ready',
      vocab_size,
      device: choice.kind === 'url' ? 'elsewhere' : 'cuda',
      dtype: dtype ?? 'auto',
    },
    eosTokenIds: tokenizer.files.eosTokenIds,
    fleet,
    maxAdapters: choice.maxAdapters,
    log,
  });
  return { engine, ownRoutes: sglangRoutes(engine, log) };
}

async function modelConfig(folder: string): Promise<z.infer<typeof ModelConfig>> {
  try {
    return ModelConfig.parse(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')));
  } catch (cause) {
    throw new ApprenticeError(
      'setup_failed',
      `${join(folder, 'config.json')} does not say how large the vocabulary is.`,
      'Name a Hugging Face model folder.',
      { cause },
    );
  }
}
