/**
 * `APPRENTICE_HOME/config.json`: everything that can be set without an editor. A missing file means all
 * defaults; an unknown field is an error, so that a misspelt setting is never silently ignored.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { EngineConfig } from './engine/config.ts';
import { GatewayConfig } from './gateway/config.ts';
import { LessonsConfig } from './hindsight/lessons-config.ts';
import { JudgeConfig } from './judge/config.ts';
import { LearningConfig } from './learning/config.ts';
import { PromotionConfig } from './promotion/config.ts';
import { WorkerDevice } from './protocol/device.ts';
import { ApprenticeError } from './protocol/errors.ts';
import { Pairing, parsePairing } from './protocol/pairing.ts';
import { TORCH, TrainerChoice, TrainerName } from './protocol/trainer-choice.ts';
import { TelemetryConfig } from './telemetry/config.ts';

/** Requests that the engine decodes together. */
const maxRunning = z.number().int().min(1).max(64).default(8);

export const WorkerConfig = z.preprocess(
  (value) => (value !== null && typeof value === 'object' ? { kind: 'local', ...value } : value),
  z.discriminatedUnion('kind', [
    /** On this machine, as a child of the agent-server. */
    z.strictObject({
      kind: z.literal('local'),
      /** Python with the worker's packages; null: `<home>/runtime/venv`. */
      python: z.string().nullable().default(null),
      /** A Hugging Face model folder; null: `<home>/runtime/model`. */
      model: z.string().nullable().default(null),
      /** Math threads of engine and trainer each; null: all cores. */
      threads: z.number().int().min(1).nullable().default(null),
      engine: EngineConfig.default({ kind: 'embedded' }),
      /** What engine and trainer compute on, as torch names it; auto: a CUDA GPU where torch finds one. */
      device: WorkerDevice.default('cpu'),
      trainer: TrainerChoice.prefault(TORCH),
      maxRunning,
    }),
    /** `apprentice-worker` on another machine: the parts of its pairing line (protocol/pairing.ts). */
    z.strictObject({
      kind: z.literal('remote'),
      url: Pairing.shape.url,
      key: Pairing.shape.key,
      sha256: Pairing.shape.sha256.default(null),
      maxRunning,
    }),
  ]),
);
export type WorkerConfig = z.infer<typeof WorkerConfig>;

export const Config = z.strictObject({
  worker: WorkerConfig.prefault({}),
  gateway: GatewayConfig.prefault({}),
  learning: LearningConfig.prefault({}),
  promotion: PromotionConfig.prefault({}),
  lessons: LessonsConfig.prefault({}),
  judge: JudgeConfig.prefault({}),
  telemetry: TelemetryConfig.prefault({}),
});
export type Config = z.infer<typeof Config>;

/** `APPRENTICE_HOME`, else the platform's data folder. */
export function homeFolder(env: NodeJS.ProcessEnv): string {
  const set = env['APPRENTICE_HOME'];
  if (set) return set;
  if (process.platform === 'win32') return join(env['LOCALAPPDATA'] ?? homedir(), 'Apprentice');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Apprentice');
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'apprentice');
}

/**
 * The worker on another machine, or null where it is this one's: by the pairing line in APPRENTICE_WORKER, else by
 * config.json. Throws `invalid_request` for a variable that is no such line.
 */
export function remoteWorker(config: Pick<Config, 'worker'>, env: NodeJS.ProcessEnv): Pairing | null {
  const line = env['APPRENTICE_WORKER'];
  if (line === undefined || line === '') return config.worker.kind === 'remote' ? config.worker : null;
  const pairing = parsePairing(line);
  if (pairing !== null) return pairing;
  throw new ApprenticeError(
    'invalid_request',
    'APPRENTICE_WORKER is no pairing line.',
    'Give the line that apprentice-worker prints, or unset it.',
  );
}

/**
 * The trainer of a worker here: APPRENTICE_TRAINER names one, and config.json says over how many ranks. Throws
 * `invalid_request` for a name that is none.
 */
export function trainerChoice({ worker }: Pick<Config, 'worker'>, env: NodeJS.ProcessEnv): TrainerChoice {
  const configured = worker.kind === 'local' ? worker.trainer : TORCH;
  const text = env['APPRENTICE_TRAINER'];
  if (text === undefined || text === '') return configured;
  const name = TrainerName.safeParse(text);
  if (!name.success)
    throw new ApprenticeError(
      'invalid_request',
      `APPRENTICE_TRAINER is ${text}.`,
      `Give one of ${TrainerName.options.join(', ')}, or unset it.`,
    );
  return configured.kind === name.data ? configured : TrainerChoice.parse({ kind: name.data });
}

/** The folder of the base model: by the environment, by config.json, else the one that the set-up fills. */
export function modelFolder(
  home: string,
  { worker }: Pick<Config, 'worker'>,
  env: NodeJS.ProcessEnv,
): string {
  const configured = worker.kind === 'local' ? worker.model : null;
  return env['APPRENTICE_MODEL'] ?? configured ?? join(home, 'runtime', 'model');
}

/** Reads config.json of a home folder. Throws `invalid_request` naming the file and each bad field. */
export function readConfig(home: string): Config {
  const file = join(home, 'config.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Config.parse({});
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ApprenticeError('invalid_json', `${file} is not JSON.`, 'Mend it or delete it.', {
      cause: error,
    });
  }
  const parsed = Config.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ApprenticeError(
    'invalid_request',
    `${file}: ${z.prettifyError(parsed.error)}`,
    'Mend the named fields.',
  );
}
