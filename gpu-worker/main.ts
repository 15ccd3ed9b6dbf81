/**
 * The gpu-worker as the agent-server's child: one loopback port of the system's choice, ends with its parent.
 * `--home DIR --logs DIR --model DIR --python FILE [--device NAME] [--threads N] [--max-running N] [--metrics]
 * [--trainer torch|megatron] [--precision auto|float32] [--tensor-parallel N] [--pipeline-parallel N] [--data-parallel N]
 * [--trained-weights adapter|full]`, the key in APPRENTICE_WORKER_KEY.
 * The engine's flags are read in engine/choice.ts. On a machine of its own it is started by cli.ts.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { WorkerDevice } from '../agent-server/protocol/device.ts';
import { ApprenticeError, toApprenticeError } from '../agent-server/protocol/errors.ts';
import { fromFlags, TrainerFlags } from '../agent-server/protocol/trainer-choice.ts';
import {
  ENGINE_FLAGS,
  type EngineChoice,
  type JudgeChoice,
  readEngineChoice,
  readJudgeChoice,
} from './engine/choice.ts';
import { runWorker } from './run-worker.ts';

const Settings = z.object({
  ...TrainerFlags,
  home: z.string().min(1),
  logs: z.string().min(1),
  model: z.string().min(1),
  python: z.string().min(1),
  device: WorkerDevice.default('auto'),
  threads: z.coerce.number().int().min(1).nullable().default(null),
  'max-running': z.coerce.number().int().min(1).max(64).default(8),
  metrics: z.boolean().default(false),
  key: z.string().min(16),
});
type Settings = z.infer<typeof Settings>;

/** From the command line and the environment. Throws `invalid_request` naming what is missing. */
function readSettings(): Settings & { engine: EngineChoice; judge: JudgeChoice | null } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...ENGINE_FLAGS,
      home: text,
      logs: text,
      model: text,
      python: text,
      device: text,
      threads: text,
      'max-running': text,
      metrics: { type: 'boolean' },
      trainer: text,
      precision: text,
      'tensor-parallel': text,
      'pipeline-parallel': text,
      'data-parallel': text,
      'trained-weights': text,
      nodes: text,
      rendezvous: text,
    },
  });
  const parsed = Settings.safeParse({ ...values, key: process.env['APPRENTICE_WORKER_KEY'] });
  if (parsed.success) {
    const engine = readEngineChoice(values, process.env);
    return { ...parsed.data, engine, judge: readJudgeChoice(values, process.env) };
  }
  throw new ApprenticeError(
    'invalid_request',
    `The gpu-worker was started wrongly: ${z.prettifyError(parsed.error)}`,
    'It is started by the agent-server; see gpu-worker/main.ts.',
  );
}

async function main(): Promise<void> {
  const { 'max-running': maxRunning, metrics, ...settings } = readSettings();
  const trainer = fromFlags(settings);
  if (trainer === null)
    throw new ApprenticeError(
      'invalid_request',
      'The torch trainer is one process that trains adapters, and only its precision is chosen; nodes have a place to meet and an equal part of the ranks.',
      'Start the gpu-worker with --trainer megatron for --tensor-parallel, --pipeline-parallel, --data-parallel, --trained-weights and --nodes with --rendezvous, and without it for --precision.',
    );
  const worker = await runWorker({
    ...settings,
    trainer,
    maxRunning,
    host: '127.0.0.1',
    port: 0,
    tls: null,
    hosts: [],
    metrics: metrics ? 'on' : 'off',
  });
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void worker.stop().finally(() => process.exit(0));
  };
  // A parent that is gone, however it went, closes this pipe.
  process.stdin.on('end', end).on('error', end).resume();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  process.stdout.write(`${JSON.stringify({ ready: true, port: worker.port })}\n`);
}

main().catch((thrown) => {
  const { message, remedy } = toApprenticeError(thrown);
  process.stderr.write(`${message} ${remedy}\n`);
  process.exit(1);
});
