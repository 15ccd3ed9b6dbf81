/**
 * The gpu-worker: starts engine and trainer, serves them on one loopback port, ends with its parent.
 * `--home DIR --model DIR --python FILE [--threads N] [--max-running N]`, the key in APPRENTICE_WORKER_KEY.
 */
import type { Server } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ApprenticeError, toApprenticeError } from '../agent-server/protocol/errors.ts';
import { createEngine } from './engine/embedded-engine.ts';
import { engineRoutes } from './engine/routes.ts';
import { loadTokenizer } from './engine/tokenizer.ts';
import { LinkServer } from './link/link-server.ts';
import { logFile } from './log-file.ts';
import { workerServer } from './server.ts';
import { TrainingRuns } from './trainer/runs.ts';
import { TorchBackend } from './trainer/torch.ts';
import { baseModelName } from './weights/base-model.ts';
import { Weights } from './weights/weights.ts';

const Settings = z.object({
  home: z.string().min(1),
  model: z.string().min(1),
  python: z.string().min(1),
  threads: z.coerce.number().int().min(1).nullable().default(null),
  'max-running': z.coerce.number().int().min(1).max(64).default(8),
  key: z.string().min(16),
});
type Settings = z.infer<typeof Settings>;

/** From the command line and the environment. Throws `invalid_request` naming what is missing. */
function readSettings(): Settings {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { home: text, model: text, python: text, threads: text, 'max-running': text },
  });
  const parsed = Settings.safeParse({ ...values, key: process.env['APPRENTICE_WORKER_KEY'] });
  if (parsed.success) return parsed.data;
  throw new ApprenticeError(
    'invalid_request',
    `The gpu-worker was started wrongly: ${z.prettifyError(parsed.error)}`,
    'It is started by the agent-server; see gpu-worker/main.ts.',
  );
}

async function main(): Promise<void> {
  const { home, model, python, threads, key, 'max-running': maxRunning } = readSettings();
  const log = logFile(join(home, 'logs', 'gpu-worker.log'));
  const weights = new Weights(home, await baseModelName(model));
  await weights.open();
  const tokenizer = await loadTokenizer(model);
  const engineLog = logFile(join(home, 'logs', 'engine.log'));
  const engine = createEngine({ python, model, threads, maxRunning, log: engineLog });
  const backend = new TorchBackend({
    python,
    model,
    threads,
    log: logFile(join(home, 'logs', 'trainer.log')),
  });
  const link = new LinkServer({
    trainer: new TrainingRuns(weights, backend, log),
    view: {
      engine: () => engine.state(),
      trainer: () => backend.state(),
      engineEpoch: () => engine.epoch,
      versions: () => weights.versions(),
    },
    log,
  });
  engine.onStateChange(() => link.statusChanged());
  backend.onStateChange(() => link.statusChanged());
  const server = workerServer({
    key,
    routes: engineRoutes({ engine, tokenizer, log: engineLog }),
    weights,
    link,
    log,
  });

  const ending = new AbortController();
  const end = () => {
    if (ending.signal.aborted) return;
    ending.abort();
    log('Ending.');
    link.close();
    server.close();
    server.closeAllConnections();
    void Promise.allSettled([engine.stop(), backend.stop()]).then(() => process.exit(0));
  };
  // A parent that is gone, however it went, closes this pipe.
  process.stdin.on('end', end).on('error', end).resume();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);

  const port = await listen(server);
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
  log(`Listening on port ${port}, process ${process.pid}.`);

  // The engine first: an answer is waited for, a lesson is not. Both load half a gigabyte from one disk.
  engine
    .start(ending.signal)
    .catch((thrown) => log(`Engine: ${toApprenticeError(thrown).message}`))
    .finally(() => {
      if (!ending.signal.aborted) backend.start();
    });
}

/** Listens on a loopback port of the system's choice and returns it. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

main().catch((thrown) => {
  const { message, remedy } = toApprenticeError(thrown);
  process.stderr.write(`${message} ${remedy}\n`);
  process.exit(1);
});
