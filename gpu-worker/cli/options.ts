/** The flags of `apprentice-worker`, read and checked: what to do, and the worker that is meant. */
import { existsSync } from 'node:fs';
import { homedir, hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { WorkerDevice } from '../../agent-server/protocol/device.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { DEFAULT_WORKER_PORT } from '../../agent-server/protocol/pairing.ts';
import { fromFlags, type TrainerChoice, TrainerFlags } from '../../agent-server/protocol/trainer-choice.ts';
import {
  ENGINE_FLAGS,
  ENGINE_USAGE,
  type EngineChoice,
  type JudgeChoice,
  readEngineChoice,
  readJudgeChoice,
} from '../engine/choice.ts';

export const USAGE = `apprentice-worker [flags]         engine and trainer of Apprentice, for an editor on another machine

  --setup                  first: Python packages and the default model, under the home folder
  --check                  looks at everything that it needs, says what is wrong and what to do, and ends
  --help

  --host ADDRESS           to listen on (127.0.0.1)
  --port N                 (${DEFAULT_WORKER_PORT})
  --tls-self-signed        TLS by a certificate of its own, made with openssl and kept in the home folder
  --tls-cert FILE --tls-key FILE
                           TLS by yours (PEM)
  --insecure-network       off loopback without TLS: key, code and weights can be read and changed on the way
  --allow-host NAME        a name that editors may call it by, besides the address and this machine's names; repeatable

  --home DIR               weights, key, logs (${defaultHome()})
  --model DIR              a Hugging Face model folder (HOME/runtime/model)
  --python FILE            with the packages (HOME/runtime/venv)
  --device NAME            cpu, cuda, cuda:1 (auto: cuda where torch has it)
  --trainer NAME           torch; or megatron, which cuts one model over several GPUs (Linux) (torch)
  --precision NAME         of torch on a processor: float32, or bfloat16 where that is native (auto)
  --tensor-parallel N --pipeline-parallel N --data-parallel N
                           of megatron: ranks that each layer is cut over, groups of layers, copies of it all (1, 1, 1)
  --nodes N --rendezvous DIR
                           of megatron: an equal part of the ranks on each of N machines, which meet in a folder that
                           all see under one path; so they see HOME and the model
  --trained-weights KIND   of megatron: adapter; or full, every weight, for which the engine stands still at a change (adapter)
  --threads N              math threads of engine and trainer each (all cores)
  --max-running N          requests decoded together (8)
  --metrics                GET /metrics, for Prometheus, with the key as bearer token; nothing personal in it

${ENGINE_USAGE}
The other nodes of such a group, numbered from 1; each takes part until it is ended:

apprentice-worker --join DIR --node I [--home DIR | --python FILE]

The key: from APPRENTICE_WORKER_KEY, else made once and kept in HOME/worker-key (mode 0600).

More users, each with a key, adapters, batches and a place in the queue of their own (the flags that the worker runs with):

apprentice-worker user add NAME [flags]        prints the line to pair with
apprentice-worker user key NAME [flags]        a new key in the place of the old one
apprentice-worker user list [--home DIR]
apprentice-worker user remove NAME [--home DIR] --yes
                           deletes what the worker holds of that user
`;

export type Command = 'run' | 'check' | 'setup' | 'help' | 'join';

export interface Options {
  command: Command;
  home: string;
  model: string;
  python: string;
  host: string;
  port: number;
  tls: TlsChoice;
  /** Lower case, without a port. */
  hosts: readonly string[];
  /** The name that the pairing line gives. */
  name: string;
  device: string;
  trainer: TrainerChoice;
  threads: number | null;
  maxRunning: number;
  engine: EngineChoice;
  metrics: 'on' | 'off';
  judge: JudgeChoice | null;
  /** Of `join`: where the nodes meet, and which this is. */
  join: { rendezvous: string; node: number } | null;
}

export type TlsChoice =
  | { kind: 'none' }
  | { kind: 'self-signed' }
  | { kind: 'files'; certificateFile: string; keyFile: string };

const WILDCARDS = new Set(['0.0.0.0', '::', '[::]']);
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i;

const Flags = z.object({
  ...TrainerFlags,
  home: z.string().min(1).optional(),
  model: z.string().min(1).optional(),
  python: z.string().min(1).optional(),
  host: z.string().min(1).default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_WORKER_PORT),
  'allow-host': z.array(z.string().regex(/^[\w.:[\]-]{1,253}$/)).default([]),
  device: WorkerDevice.default('auto'),
  threads: z.coerce.number().int().min(1).nullable().default(null),
  'max-running': z.coerce.number().int().min(1).max(64).default(8),
  join: z.string().min(1).optional(),
  node: z.coerce.number().int().min(1).max(63).optional(),
});

/** Throws `invalid_request` naming what is wrong with the flags, and for a listener that everybody could read. */
export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const values = parsed(args);
  const flags = Flags.safeParse(values);
  if (!flags.success) throw bad(z.prettifyError(flags.error));
  const { host, port, device, threads } = flags.data;
  const trainer = fromFlags(flags.data);
  if (trainer === null)
    throw bad(
      '--tensor-parallel, --pipeline-parallel, --data-parallel, --trained-weights full and --nodes belong to --trainer ' +
        'megatron, --precision to torch; --nodes and --rendezvous go together, and the nodes have equal parts of the ranks',
    );
  const { join: rendezvous, node } = flags.data;
  if ((rendezvous === undefined) !== (node === undefined)) throw bad('--join and --node go together');
  const home = resolve(flags.data.home ?? defaultHome(env));
  const tls = tlsChoice(values);
  if (tls.kind === 'none' && !LOOPBACK.test(host) && values['insecure-network'] !== true)
    throw new ApprenticeError(
      'invalid_request',
      `Without TLS it does not listen on ${host}: whoever is on the way could read the key, your code and the weights.`,
      'Add --tls-self-signed (or --tls-cert and --tls-key); or keep 127.0.0.1 and reach it through an SSH tunnel (ssh -L); or, on a network that you trust wholly, add --insecure-network.',
    );
  const venv = join(home, 'runtime', 'venv');
  const name = flags.data['allow-host'][0] ?? (WILDCARDS.has(host) ? hostname() : host);
  return {
    command: command(values),
    home,
    model: resolve(flags.data.model ?? env['APPRENTICE_MODEL'] ?? join(home, 'runtime', 'model')),
    python:
      flags.data.python ??
      env['APPRENTICE_PYTHON'] ??
      join(venv, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'])),
    host,
    port,
    tls,
    hosts: ownNames(host, [...flags.data['allow-host'], name]),
    name,
    device,
    trainer,
    threads,
    maxRunning: flags.data['max-running'],
    engine: readEngineChoice(values, env),
    metrics: values.metrics === true ? 'on' : 'off',
    judge: readJudgeChoice(values, env),
    join: rendezvous === undefined || node === undefined ? null : { rendezvous: resolve(rendezvous), node },
  };
}

/** Where editors reach it: the name that it goes by, at the port that it listens on. */
export function workerUrl({ name }: Pick<Options, 'name'>, port: number, secure: boolean): string {
  const bracketed = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
  return `${secure ? 'https' : 'http'}://${bracketed}:${port}`;
}

/** Has the set-up run, or has the user named what it would make? */
export function isSetUp({ model, python }: Pick<Options, 'model' | 'python'>): boolean {
  return existsSync(model) && existsSync(python);
}

/** The platform's data folder. */
export function defaultHome(env: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === 'win32') return join(env['LOCALAPPDATA'] ?? homedir(), 'Apprentice Worker');
  if (process.platform === 'darwin')
    return join(homedir(), 'Library', 'Application Support', 'Apprentice Worker');
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'apprentice-worker');
}

type Values = ReturnType<typeof parsed>;

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...ENGINE_FLAGS,
        setup: flag,
        check: flag,
        help: { ...flag, short: 'h' },
        home: text,
        model: text,
        python: text,
        host: text,
        port: text,
        'tls-self-signed': flag,
        'tls-cert': text,
        'tls-key': text,
        'insecure-network': flag,
        'allow-host': { ...text, multiple: true },
        device: text,
        trainer: text,
        precision: text,
        'tensor-parallel': text,
        'pipeline-parallel': text,
        'data-parallel': text,
        'trained-weights': text,
        nodes: text,
        rendezvous: text,
        join: text,
        node: text,
        threads: text,
        'max-running': text,
        metrics: flag,
      },
    }).values;
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
}

function command(values: Values): Command {
  const asked = (['help', 'setup', 'check'] as const).filter((name) => values[name] === true);
  if (asked.length > 1) throw bad(`--${asked.join(' and --')} exclude one another`);
  return asked[0] ?? (values.join === undefined ? 'run' : 'join');
}

function tlsChoice(values: Values): TlsChoice {
  const { 'tls-cert': certificateFile, 'tls-key': keyFile } = values;
  const selfSigned = values['tls-self-signed'] === true;
  if (certificateFile === undefined && keyFile === undefined)
    return { kind: selfSigned ? 'self-signed' : 'none' };
  if (certificateFile === undefined || keyFile === undefined || selfSigned)
    throw bad('--tls-cert and --tls-key go together, and without --tls-self-signed');
  return { kind: 'files', certificateFile: resolve(certificateFile), keyFile: resolve(keyFile) };
}

/** An address is no name that a web page could have rebound, so that all of this machine's are good. */
function ownNames(host: string, named: readonly string[]): string[] {
  const addresses = WILDCARDS.has(host)
    ? [
        hostname(),
        ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
      ]
    : [host];
  const bracketed = (name: string) => (name.includes(':') && !name.startsWith('[') ? `[${name}]` : name);
  return [...new Set([...named, ...addresses].map((name) => bracketed(name).toLowerCase()))];
}

function bad(what: string): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `${what}.`.replace(/\.\.$/, '.'),
    'See apprentice-worker --help.',
  );
}
