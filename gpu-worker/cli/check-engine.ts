/** What `--check` says of an engine that is not our own: the package that is started, the servers that run already. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { LlamaCppChoice, SglangChoice, UrlChoice } from '../engine/choice.ts';
import { loadAddon } from '../engine/llama-cpp/addon.ts';
import { checkGguf } from '../engine/llama-cpp/check-gguf.ts';
import { readModelShape } from '../engine/llama-cpp/model-shape.ts';
import { ModelList } from '../engine/sglang/attached-server.ts';
import { callJson } from '../engine/sglang/client.ts';
import { llamaCppAddon } from '../setup/llama-cpp.mjs';
import type { Finding } from './check.ts';
import type { Options } from './options.ts';

/** Versions that the worker was written for; their source is what its requests are held against. */
const SGLANG_VERSION = '0.5.23';
const ROUTER_VERSION = '0.3.2';
const PROBE_LIMIT_MS = 30_000;
const ASK_LIMIT_MS = 10_000;

const PROGRAM = 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))';

/** Nothing for the embedded engine. Throws nothing: what goes wrong is a finding. */
export async function engineFindings({
  engine,
  python,
  home,
  model,
}: Pick<Options, 'engine' | 'python' | 'home' | 'model'>): Promise<Finding[]> {
  switch (engine.kind) {
    case 'embedded':
      return [];
    case 'llama-cpp':
      return await llamaCppFindings(engine, model, engine.folder ?? join(home, 'runtime', 'llama-cpp'));
    case 'sglang': {
      const own = engine.python ?? python;
      const found = await packageFinding('sglang', own, SGLANG_VERSION, '--engine-python');
      return [found, ...(await routerFindings(engine, engine.count))];
    }
    case 'url':
      return [...(await serverFindings(engine)), ...(await routerFindings(engine, engine.urls.length))];
  }
}

async function llamaCppFindings({ gguf }: LlamaCppChoice, model: string, folder: string): Promise<Finding[]> {
  const looked = async (what: string, found: string, look: () => Promise<unknown>): Promise<Finding> => {
    try {
      await look();
      return { kind: 'ok', what, found, remedy: '' };
    } catch (thrown) {
      const { message, remedy } = toApprenticeError(thrown);
      return { kind: 'fault', what, found: message, remedy };
    }
  };
  return [
    await looked('llama.cpp', folder, () => loadAddon(llamaCppAddon(folder), () => {})),
    await looked('GGUF', gguf ?? `made of ${model} at the first start`, async () => {
      const shape = await readModelShape(model);
      if (gguf !== null) await checkGguf(gguf, model, shape);
    }),
  ];
}

async function packageFinding(name: string, python: string, wanted: string, flag: string): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', PROGRAM, name], {
      timeout: PROBE_LIMIT_MS,
      encoding: 'utf8',
      windowsHide: true,
    });
    const version = stdout.trim();
    if (version === wanted) return { kind: 'ok', what: name, found: `${version} in ${python}`, remedy: '' };
    return {
      kind: 'note',
      what: name,
      found: `${version} in ${python}`,
      remedy: `The worker was written for ${wanted}; install that where something goes wrong.`,
    };
  } catch {
    return {
      kind: 'fault',
      what: name,
      found: `not in ${python}`,
      remedy: `Install ${name}==${wanted} into a Python environment of its own and name its interpreter with ${flag}.`,
    };
  }
}

async function routerFindings(
  { routerPython }: Pick<SglangChoice, 'routerPython'>,
  count: number,
): Promise<Finding[]> {
  if (count === 1) return [];
  if (routerPython !== null)
    return [await packageFinding('sglang-router', routerPython, ROUTER_VERSION, '--router-python')];
  return [
    {
      kind: 'note',
      what: 'sglang-router',
      found: 'not named: requests go to the servers by turns, wherever their prefix is cached',
      remedy: 'Name a Python with sglang-router with --router-python.',
    },
  ];
}

async function serverFindings({ urls, key, adminKey }: UrlChoice): Promise<Finding[]> {
  const asked = { method: 'GET', path: '/v1/models', access: 'use' } as const;
  return await Promise.all(
    urls.map(async (url): Promise<Finding> => {
      const what = 'engine';
      try {
        const server = { url, key, adminKey };
        const { data } = await callJson(server, asked, ModelList, AbortSignal.timeout(ASK_LIMIT_MS));
        return {
          kind: 'ok',
          what,
          found: `${url} serves ${data.map(({ id }) => id).join(', ')}`,
          remedy: '',
        };
      } catch (thrown) {
        const { message } = toApprenticeError(thrown);
        return {
          kind: 'fault',
          what,
          found: `${url}: ${message}`,
          remedy: 'Start it, or mend --engine-url, APPRENTICE_ENGINE_KEY and APPRENTICE_ENGINE_ADMIN_KEY.',
        };
      }
    }),
  );
}
