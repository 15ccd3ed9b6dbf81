/** Holds the engine's process of a home still, so that a test can act in the middle of an answer. Needs `ps`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

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
  const workers = all.filter(({ command }) => command.includes(`--home ${home} `));
  const engine = all.find(
    ({ parent, command }) =>
      workers.some(({ pid }) => pid === parent) && command.includes('apprentice_worker.engine'),
  );
  assert.ok(engine, `no engine runs for ${home}`);
  process.kill(engine.pid, 'SIGSTOP');
  return () => process.kill(engine.pid, 'SIGCONT');
}
