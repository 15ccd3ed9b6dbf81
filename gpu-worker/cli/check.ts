/**
 * `apprentice-worker --check`: everything that a worker needs, looked at one by one; each finding says what is wrong and
 * what to do. Looks only: nothing is installed, made or left listening.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { WorkerKey } from '../../agent-server/protocol/pairing.ts';
import { readUsers } from '../users/user-file.ts';
import { baseModelName } from '../weights/base-model.ts';
import { certificateFor } from './certificate.ts';

import { engineFindings } from './check-engine.ts';

import { MEGATRON, megatronFindings } from './check-megatron.ts';

import type { Options } from './options.ts';
import { deviceOf, type Probe, probePython } from './probe-python.ts';
import { pinned } from './requirements.ts';

export interface Finding {
  kind: 'ok' | 'note' | 'fault';
  what: string;
  /** What was found, in one line. */
  found: string;
  /** What to do; '' where nothing is. */
  remedy: string;
}

/** Versions, moments and logs of a small model; larger ones take more. */
const WANTED_DISK_BYTES = 5e9;
const SMI_LIMIT_MS = 15_000;
/** Below it bfloat16, in which the engine computes on a GPU, is emulated. Source: NVIDIA's compute capabilities. */
const LEAST_CAPABILITY = 8;

/** In the order in which a person would look. Throws nothing: what goes wrong is a finding. */
export async function check(options: Options, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const python = await pythonFindings(options);
  return [
    system(),
    ...(await driver(python.probe)),
    ...python.findings,
    ...(python.probe ? [...devices(options, python.probe), ...megatronFindings(options, python.probe)] : []),
    ...(await engineFindings(options)),
    await modelFinding(options),
    disk(options),
    key(options, env),
    users(options),
    tls(options),
    await portFinding(options),
  ];
}

export function findingText({ kind, what, found, remedy }: Finding): string {
  const mark = { ok: 'ok   ', note: 'note ', fault: 'FAULT' }[kind];
  return `${mark}  ${what.padEnd(16)} ${found}${remedy === '' ? '' : `\n${' '.repeat(24)}-> ${remedy}`}`;
}

function system(): Finding {
  const found = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${gigabytes(totalmem())} of memory`;
  return { kind: 'ok', what: 'machine', found, remedy: '' };
}

async function driver(probe: Probe | null): Promise<Finding[]> {
  const what = 'NVIDIA driver';
  try {
    const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, {
      timeout: SMI_LIMIT_MS,
      encoding: 'utf8',
      windowsHide: true,
    });
    return stdout
      .trim()
      .split('\n')
      .map((line) => ({ kind: 'ok', what, found: line.trim(), remedy: '' }));
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const found = missing
      ? 'no nvidia-smi: no NVIDIA driver here'
      : `nvidia-smi fails: ${String(error instanceof Error ? error.message : error).split('\n')[0]}`;
    const remedy =
      missing && probe?.torch?.cudaBuild == null
        ? 'Without a GPU it computes on the processor, which is slow for all but small models.'
        : 'Install the driver (nvidia.com/drivers, or your distribution), restart, and try nvidia-smi by itself.';
    return [{ kind: missing ? 'note' : 'fault', what, found, remedy }];
  }
}

async function pythonFindings({ python }: Options): Promise<{ findings: Finding[]; probe: Probe | null }> {
  const what = 'Python';
  const wanted = pinned('requirements.txt');
  let probe: Probe;
  try {
    probe = await probePython(python, [...wanted.keys(), MEGATRON]);
  } catch (error) {
    return { findings: [fault(what, error)], probe: null };
  }
  const findings: Finding[] = [{ kind: 'ok', what, found: `${probe.python} at ${python}`, remedy: '' }];
  const wrong = [...wanted].filter(([name, versions]) => !versions.includes(release(probe.packages[name])));
  const missing = wrong.filter(([name]) => probe.packages[name] == null).map(([name]) => name);
  const packages = [...wanted.keys()]
    .map((name) => `${name} ${probe.packages[name] ?? 'missing'}`)
    .join(', ');
  const others = wrong.map(([name, versions]) => `${name} ${versions.join(' or ')}`).join(', ');
  findings.push({
    kind: missing.length > 0 || probe.torch === null ? 'fault' : wrong.length > 0 ? 'note' : 'ok',
    what: 'packages',
    found: probe.torch === null ? `torch does not load: ${probe.error ?? 'it is missing'}` : packages,
    remedy: wrong.length === 0 ? '' : `Wanted are ${others}: run apprentice-worker --setup.`,
  });
  return { findings, probe };
}

function devices({ device }: Options, { torch }: Probe): Finding[] {
  if (torch === null) return [];
  const what = 'device';
  const meant = deviceOf(device, { torch });
  if (!meant.startsWith('cuda')) {
    const cpuBuild = torch.cudaBuild === null;
    return [
      {
        kind: device === 'auto' ? 'note' : 'ok',
        what,
        found: `${meant}, ${torch.threads} threads; torch ${torch.version} ${cpuBuild ? 'is built without CUDA' : 'finds no GPU'}`,
        remedy: cpuBuild
          ? 'For a GPU install a CUDA build of torch into that Python; --setup does where nvidia-smi runs.'
          : `The driver has to be new enough for CUDA ${torch.cudaBuild}.`,
      },
    ];
  }
  const index = Number(meant.split(':')[1] ?? 0);
  const found = torch.devices[index];
  if (!torch.cuda || found === undefined)
    return [
      {
        kind: 'fault',
        what,
        found: `there is no ${meant}: torch ${torch.version} (CUDA ${torch.cudaBuild ?? 'none'}) sees ${torch.devices.length} GPUs`,
        remedy:
          'Install a CUDA build of torch and a driver that is new enough for it; look at CUDA_VISIBLE_DEVICES.',
      },
    ];
  const old = Number(found.capability) < LEAST_CAPABILITY;
  return [
    {
      kind: old ? 'note' : 'ok',
      what,
      found: `${meant}: ${found.name}, ${gigabytes(found.freeBytes)} of ${gigabytes(found.totalBytes)} free, compute capability ${found.capability}, CUDA ${torch.cudaBuild}`,
      remedy: old ? 'It computes bfloat16 slowly; expect less than its size promises.' : '',
    },
  ];
}

async function modelFinding({ model }: Options): Promise<Finding> {
  try {
    return { kind: 'ok', what: 'model', found: `${await baseModelName(model)} at ${model}`, remedy: '' };
  } catch (error) {
    return fault(
      'model',
      error,
      'Run apprentice-worker --setup, or name a Hugging Face folder with --model.',
    );
  }
}

function disk({ home }: Options): Finding {
  let folder = home;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const enough = freeBytes >= WANTED_DISK_BYTES;
  return {
    kind: enough ? 'ok' : 'fault',
    what: 'disk',
    found: `${gigabytes(freeBytes)} free at ${folder}`,
    remedy: enough ? '' : `${gigabytes(WANTED_DISK_BYTES)} are wanted: free some, or move it with --home.`,
  };
}

function key({ home }: Options, env: NodeJS.ProcessEnv): Finding {
  const what = 'key';
  const file = join(home, 'worker-key');
  const given = env['APPRENTICE_WORKER_KEY'];
  if (given === undefined && !existsSync(file))
    return { kind: 'ok', what, found: `none yet: made at the first start in ${file}`, remedy: '' };
  if (!WorkerKey.safeParse(given ?? readFileSync(file, 'utf8').trim()).success)
    return {
      kind: 'fault',
      what,
      found: `the one in ${given === undefined ? file : 'APPRENTICE_WORKER_KEY'} is none`,
      remedy: 'Delete it to have one made.',
    };
  const open = given === undefined && process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
  return {
    kind: open ? 'note' : 'ok',
    what,
    found: given === undefined ? file : 'from APPRENTICE_WORKER_KEY',
    remedy: open ? `Others of this machine can read it: chmod 600 ${file} (a start does so too).` : '',
  };
}

function users({ home }: Options): Finding {
  try {
    const names = ['the first', ...readUsers(home).map(({ name }) => name)];
    return { kind: 'ok', what: 'users', found: names.join(', '), remedy: '' };
  } catch (error) {
    return fault('users', error);
  }
}

function tls({ tls: choice, host, home, hosts }: Options): Finding {
  const what = 'TLS';
  if (choice.kind === 'none') return { kind: 'ok', what, found: `off; it listens on ${host}`, remedy: '' };
  if (choice.kind === 'self-signed' && !existsSync(join(home, 'tls', 'certificate.pem')))
    return { kind: 'ok', what, found: 'a certificate of its own is made at the first start', remedy: '' };
  try {
    const certificate = certificateFor({ tls: choice, home, hosts });
    const days = Math.floor(((certificate?.validTo.getTime() ?? 0) - Date.now()) / 86_400_000);
    return {
      kind: days < 14 ? 'note' : 'ok',
      what,
      found: `certificate ${certificate?.sha256 === null ? 'of an authority' : 'of its own'}, valid for ${days} more days`,
      remedy: days < 14 ? 'Renew it, then start the worker again.' : '',
    };
  } catch (error) {
    return fault(what, error);
  }
}

async function portFinding({ host, port }: Options): Promise<Finding> {
  const what = 'port';
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return { kind: 'ok', what, found: `${host}, port ${port} is free`, remedy: '' };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const [found, remedy] =
      code === 'EADDRINUSE'
        ? ['is taken', 'A worker may run already; else choose another with --port.']
        : code === 'EACCES'
          ? ['is not allowed', 'Ports below 1024 are the system’s: choose another with --port.']
          : [
              `cannot be had: ${error instanceof Error ? error.message : error}`,
              'Name an address of this machine with --host.',
            ];
    return { kind: 'fault', what, found: `${host}, port ${port} ${found}`, remedy };
  } finally {
    server.close();
  }
}

/** Without the build: `2.13.0+cu130` is 2.13.0. */
function release(version: string | null | undefined): string {
  return version?.split('+')[0] ?? '';
}

function fault(what: string, thrown: unknown, remedy?: string): Finding {
  const error: ApprenticeError = toApprenticeError(thrown);
  return { kind: 'fault', what, found: error.message, remedy: remedy ?? error.remedy };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
