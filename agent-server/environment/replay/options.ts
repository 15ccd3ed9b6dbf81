/** The flags of `npm start`, read and checked. What they mean for the run is left to the others. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { LearningConfig } from '../../learning/config.ts';
import { ApprenticeError, toApprenticeError } from '../../protocol/errors.ts';

export const FLAGS = `  --repo PATH      git repository to learn from (default: this clone, else a sample repository)
  --sample         the sample repository, whatever this clone's history is
  --commits N      commits to learn from (24)
  --test N         newest commits, held out and answered before and after (12)
  --control        a second arm with the information destroyed and all else equal
  --exit           end after the report
  --json FILE      also write the result as JSON
  --html FILE      where the report goes (default: in the run's folder)
  --learning JSON  settings of learning that differ, e.g. '{"replay":2}'
  --port N         port of the gateway (default: the system's choice)`;

export interface ReplayOptions {
  /** Null: this clone when its history suffices, else the sample repository. */
  repository: string | null;
  /** The sample repository, without a look at this clone's history. */
  sample: boolean;
  commits: number;
  test: number;
  control: boolean;
  exit: boolean;
  json: string | null;
  html: string | null;
  learning: LearningConfig;
  port: number;
}

/** Paths in flags are relative to `cwd`. Throws `invalid_request` that lists the flags. */
export function readOptions(argv: readonly string[], cwd: string): ReplayOptions {
  const values = flagValues(argv);
  if (values.repo !== undefined && values.sample) throw badFlags('--repo and --sample exclude each other.');
  const path = (value: string | undefined): string | null =>
    value === undefined ? null : resolve(cwd, value);
  return {
    repository: path(values.repo),
    sample: values.sample ?? false,
    commits: whole('--commits', values.commits, 24, 1, 1000),
    test: whole('--test', values.test, 12, 1, 200),
    control: values.control ?? false,
    exit: values.exit ?? false,
    json: path(values.json),
    html: path(values.html),
    learning: learningSettings(values.learning),
    port: whole('--port', values.port, 0, 0, 65_535),
  };
}

/** Python and model of this clone, unless the environment names others. */
export function runtimeOf(clone: string, env: NodeJS.ProcessEnv): { python: string; model: string } {
  const venv = join(clone, '.apprentice', 'venv');
  const python =
    process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');
  return {
    python: env['APPRENTICE_PYTHON'] ?? python,
    model: env['APPRENTICE_MODEL'] ?? join(clone, '.apprentice', 'model'),
  };
}

function flagValues(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: false,
      options: {
        repo: { type: 'string' },
        sample: { type: 'boolean' },
        commits: { type: 'string' },
        test: { type: 'string' },
        control: { type: 'boolean' },
        exit: { type: 'boolean' },
        json: { type: 'string' },
        html: { type: 'string' },
        learning: { type: 'string' },
        port: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw badFlags(toApprenticeError(error).message);
  }
}

function whole(flag: string, text: string | undefined, otherwise: number, min: number, max: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw badFlags(`${flag} wants a whole number from ${min} to ${max}, not "${text}".`);
}

function learningSettings(text: string | undefined): LearningConfig {
  const defaults = LearningConfig.parse({});
  if (text === undefined) return defaults;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw badFlags(`--learning wants a JSON object, not ${text}.`);
  }
  const given = z.looseObject({ hyperparameters: z.looseObject({}).optional() }).safeParse(json);
  const merged = LearningConfig.safeParse({
    ...defaults,
    ...given.data,
    hyperparameters: { ...defaults.hyperparameters, ...given.data?.hyperparameters },
  });
  if (given.success && merged.success) return merged.data;
  throw badFlags(`--learning: ${z.prettifyError(given.error ?? merged.error ?? new z.ZodError([]))}`);
}

function badFlags(message: string): ApprenticeError {
  return new ApprenticeError('invalid_request', message, `Flags:\n${FLAGS}`);
}
