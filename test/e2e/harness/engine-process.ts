/** Holds the engine's process of a home still, so that a test can act in the middle of an answer. Needs `ps`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

interface Process {
  pid: number;
  parent: number;
  command: string;
}

function processes(): Process[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

/** Stops the engine's process where it is. Returns what lets it go on. */
export function holdEngine(home: string): () => void {
  const all = processes();
  const workers = workersOf(home, all);
  return hold(
    all.find(
      ({ parent, command }) =>
        workers.some(({ pid }) => pid === parent) && command.includes('apprentice_worker.engine'),
    ),
    home,
  );
}

/** The same of the gpu-worker's own process: the fake one has no other. */
export function holdWorker(home: string): () => void {
  return hold(workersOf(home, processes())[0], home);
}

function workersOf(home: string, all: readonly Process[]): Process[] {
  // The gpu-worker has a folder of its own in the home.
  return all.filter(({ command }) => command.includes(`--home ${join(home, 'worker')} `));
}

function hold(found: Process | undefined, home: string): () => void {
  assert.ok(found, `no engine runs for ${home}`);
  process.kill(found.pid, 'SIGSTOP');
  return () => process.kill(found.pid, 'SIGCONT');
}
