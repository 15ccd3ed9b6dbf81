/** Our Python as a supervised child (line-process.ts): how a module of `apprentice_worker` is run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LineProcess, type LineProcessOptions, type Program } from './line-process.ts';

export interface PythonProcessOptions<Event extends { type: string }>
  extends Omit<LineProcessOptions<Event>, 'command'> {
  python: string;
  /** Run as `python -m module ...args`. */
  module: string;
}

/** The folder that holds `apprentice_worker`: beside this file, or beside the bundle's `dist/`. */
export function pythonFolder(): string {
  const beside = join(import.meta.dirname, 'python');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', 'gpu-worker', 'python');
}

/** `python -m module ...args`. */
export function pythonProgram(python: string, module: string, args: readonly string[]): Required<Program> {
  return {
    command: python,
    args: ['-m', module, ...args],
    env: {
      PYTHONPATH: pythonFolder(),
      PYTHONUTF8: '1',
      // A model is a folder here: nothing is ever fetched behind the user's back.
      HF_HUB_OFFLINE: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
    },
  };
}

export class PythonProcess<Event extends { type: string }> extends LineProcess<Event> {
  constructor({ python, module, args, env, ...rest }: PythonProcessOptions<Event>) {
    const program = pythonProgram(python, module, args);
    super({ ...rest, ...program, env: { ...program.env, ...env } });
  }
}
