/**
 * `apprentice-worker --join DIR --node I`: this machine's ranks of a Megatron group whose worker is on another. The launcher
 * takes part in one group after the other (python/apprentice_worker/megatron/nodes.py).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MATH_THREADS } from '../line-process.ts';
import { pythonProgram } from '../python-process.ts';
import { LAUNCHER } from '../trainer/megatron.ts';

/** Its exit code, once it has been told to end or cannot go on; it has said why on standard error. */
export async function joinGroup(python: string, rendezvous: string, node: number): Promise<number> {
  const { command, args, env } = pythonProgram(python, LAUNCHER, [
    ...['--rendezvous', rendezvous],
    ...['--node', String(node)],
  ]);
  const launcher = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...MATH_THREADS, ...env },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => launcher.kill('SIGTERM'));
  const [code] = await once(launcher, 'close');
  return typeof code === 'number' ? code : 1;
}
