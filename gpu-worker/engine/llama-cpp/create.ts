/** The llama.cpp engine as the worker starts it: the program (main.ts), what it is told, and how long it may take. */
import { join } from 'node:path';
import { llamaCppAddon } from '../../setup/llama-cpp.mjs';
import type { LlamaCppChoice } from '../choice.ts';
import { EmbeddedEngine, type EngineOptions } from '../embedded-engine.ts';

/** A model of some gigabytes is written once at the first start. */
const READY_LIMIT_MS = 30 * 60_000;

/** Not started. `home`: the worker's. Throws `setup_failed` where llama.cpp has no build for this platform. */
export function createLlamaCppEngine(
  { gguf, folder, context }: LlamaCppChoice,
  { model, threads, maxRunning, home, log }: Omit<EngineOptions, 'python' | 'device'> & { home: string },
): EmbeddedEngine {
  const addon = llamaCppAddon(folder ?? join(home, 'runtime', 'llama-cpp'));
  const flags = ['--model', model, '--addon', addon, '--cache', join(home, 'gguf')];
  flags.push('--context', String(context), '--max-running', String(maxRunning));
  if (gguf !== null) flags.push('--gguf', gguf);
  if (threads !== null) flags.push('--threads', String(threads));
  return new EmbeddedEngine({
    model,
    program: { command: process.execPath, args: [...process.execArgv, processFile(), ...flags] },
    readyTimeoutMs: READY_LIMIT_MS,
    log,
  });
}

/** Source beside source, bundle beside bundle. */
function processFile(): string {
  return join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'main.ts' : 'llama-cpp.mjs');
}
