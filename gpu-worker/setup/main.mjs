/**
 * `node main.mjs --home DIR [--trainer megatron]` makes the Python side below DIR/runtime. It is what the packaged extension runs:
 * bundled into the .vsix, where there is no npm. A clone has setup.mjs.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SetupError } from './errors.mjs';
import { checkGit, runtimeOf } from './runtime.mjs';
import { exitWith, setUp } from './set-up.mjs';

/** The worker's Python files: beside the bundle in dist/, else beside this folder. */
function pythonFolder() {
  const here = dirname(fileURLToPath(import.meta.url));
  const beside = join(here, 'python');
  return existsSync(beside) ? beside : join(here, '..', 'python');
}

await exitWith(async () => {
  const { values } = parseArgs({ options: { home: { type: 'string' }, trainer: { type: 'string' } } });
  if (!values.home) throw new SetupError('--home is missing.', 'Name the folder: --home DIR.');
  const folder = join(values.home, 'runtime');
  const runtime = runtimeOf(folder, pythonFolder());
  const steps = [...runtime.steps, ...(values.trainer === 'megatron' ? runtime.megatronSteps : [])];
  if (steps.some((step) => !step.done())) checkGit();
  await setUp(steps, folder);
  return 0;
});
