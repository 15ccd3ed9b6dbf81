/**
 * `apprentice-worker`: the gpu-worker on a machine of its own. One port, a key a user; prints the line that is pasted
 * into the editor, and runs until it is told to end. The worker itself is run-worker.ts.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { formatPairing } from '../../agent-server/protocol/pairing.ts';
import { pythonFolder } from '../python-process.ts';
import { runWorker } from '../run-worker.ts';
import { llamaCppStep } from '../setup/llama-cpp.mjs';
import { runtimeOf } from '../setup/runtime.mjs';
import { setUp } from '../setup/set-up.mjs';
import { certificateFor } from './certificate.ts';
import { check, findingText } from './check.ts';
import { joinGroup } from './join.ts';
import { workerKey } from './key-file.ts';
import { isSetUp, type Options, readOptions, USAGE, workerUrl } from './options.ts';
import { deviceOf, probePython } from './probe-python.ts';
import { userCommand } from './user-command.ts';

/** `Promise.withResolvers`, and TLS and HTTP as they are used here. */
const OLDEST_NODE = 22;

async function main(): Promise<number | 'running'> {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE)
    throw new ApprenticeError(
      'setup_failed',
      `This is Node ${process.versions.node}, and ${OLDEST_NODE} is the oldest that will do.`,
      'Install a newer one from nodejs.org.',
    );
  const args = process.argv.slice(2);
  if (args[0] === 'user')
    return userCommand(args.slice(1), process.env, (text) => process.stdout.write(text));
  const options = readOptions(args, process.env);
  switch (options.command) {
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case 'setup':
      return setUpRuntime(options);
    case 'check':
      return showCheck(options);
    case 'run':
      return run(options);
    case 'join':
      return takePart(options);
  }
}

async function setUpRuntime({ home, trainer, engine }: Options): Promise<number> {
  const folder = join(home, 'runtime');
  process.stdout.write(
    `Python packages and the default model go into ${folder}: 1.8 GB, several more with an NVIDIA GPU.\n`,
  );
  const { steps, megatronSteps } = runtimeOf(folder, pythonFolder());
  const wanted = [...steps, ...(trainer.kind === 'megatron' ? megatronSteps : [])];
  if (engine.kind === 'llama-cpp') wanted.push(llamaCppStep(engine.folder ?? join(folder, 'llama-cpp')));
  await setUp(wanted, folder);
  process.stdout.write('Set up. Look with apprentice-worker --check, start with apprentice-worker.\n');
  return 0;
}

async function showCheck(options: Options): Promise<number> {
  const findings = await check(options, process.env);
  for (const finding of findings) process.stdout.write(`${findingText(finding)}\n`);
  const faults = findings.filter(({ kind }) => kind === 'fault').length;
  process.stdout.write(faults === 0 ? 'Ready.\n' : `${faults} to be mended.\n`);
  return faults === 0 ? 0 : 1;
}

async function takePart({ join, python }: Options): Promise<number> {
  if (join === null || !existsSync(python))
    throw new ApprenticeError(
      'setup_failed',
      `There is no ${python}.`,
      'Run apprentice-worker --setup --trainer megatron on this node, or name Python with --python.',
    );
  return joinGroup(python, join.rendezvous, join.node);
}

async function run(options: Options): Promise<'running'> {
  const { home, model, python, trainer, threads, maxRunning, engine, judge, host, port, hosts } = options;
  if (!isSetUp(options))
    throw new ApprenticeError(
      'setup_failed',
      `There is no ${model} or no ${python}.`,
      'Run apprentice-worker --setup first, or name both with --model and --python.',
    );
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const key = workerKey(home, process.env);
  // Not for the Python processes.
  delete process.env['APPRENTICE_WORKER_KEY'];
  const certificate = certificateFor(options);
  const device = options.device === 'auto' ? deviceOf('auto', await probePython(python, [])) : options.device;
  const logs = join(home, 'logs');
  const worker = await runWorker({
    home,
    logs,
    model,
    python,
    threads,
    maxRunning,
    engine,
    judge,
    device,
    trainer,
    key,
    host,
    port,
    tls: certificate,
    hosts,
    metrics: options.metrics,
  }).catch((thrown) => {
    throw listenError(thrown, options);
  });
  const url = workerUrl(options, worker.port, certificate !== null);
  process.stdout.write(
    `apprentice-worker: ${worker.baseModel} on ${device}, at ${url}; logs in ${logs}\n` +
      'In VS Code run "Apprentice: Connect Remote Worker" and paste this line. It holds the key: treat it as a password.\n\n' +
      `${formatPairing({ url, key, sha256: certificate?.sha256 ?? null })}\n\n${othersText(worker.users)}`,
  );
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void worker.stop().finally(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  return 'running';
}

function othersText(users: readonly string[]): string {
  return users.length === 0 ? '' : `Users with a line of their own: ${users.join(', ')}.\n\n`;
}

function listenError(thrown: unknown, { host, port }: Options): ApprenticeError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL')
    return toApprenticeError(thrown);
  return new ApprenticeError(
    'setup_failed',
    `It cannot listen on ${host}, port ${port} (${code}).`,
    'apprentice-worker --check says more; choose others with --host and --port.',
    { cause: thrown },
  );
}

main().then(
  (code) => {
    if (code !== 'running') process.exitCode = code;
  },
  (thrown: unknown) => {
    const { message, remedy } =
      thrown instanceof Error && 'remedy' in thrown && typeof thrown.remedy === 'string'
        ? { message: thrown.message, remedy: thrown.remedy }
        : toApprenticeError(thrown);
    process.stderr.write(`${message}\n${remedy}\n`);
    process.exitCode = 1;
  },
);
