/**
 * `node main.mjs --home DIR [--trainer megatron] [--engine llama-cpp]` makes the Python side below DIR/runtime, and
 * llama.cpp, for which npm is needed. It is what the packaged extension runs: bundled into the .vsix. A clone has setup.mjs.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SetupError } from './errors.mjs';
import { llamaCppStep } from './llama-cpp.mjs';
import { checkGit, runtimeOf } from './runtime.mjs';
import { exitWith, setUp } from './set-up.mjs';

/** The worker's Python files: beside the bundle in dist/, else beside this folder. */
function pythonFolder() {
  const here = dirname(fileURLToPath(import.meta.url));
  const beside = join(here, 'python');
  return existsSync(beside) ? beside : join(here, '..', 'python');
}

await exitWith(async () => {
  const text = /** @type {const} */ ({ type: 'string' });
  const { values } = parseArgs({ options: { home: text, trainer: text, engine: text } });
  if (!values.home) throw new SetupError('--home is missing.', 'Name the folder: --home DIR.');
  const folder = join(values.home, 'runtime');
  const runtime = runtimeOf(folder, pythonFolder());
  const steps = [...runtime.steps, ...(values.trainer === 'megatron' ? runtime.megatronSteps : [])];
  if (values.engine === 'llama-cpp') steps.push(llamaCppStep(join(folder, 'llama-cpp')));
  if (steps.some((step) => !step.done())) checkGit();
  await setUp(steps, folder);
  return 0;
});
