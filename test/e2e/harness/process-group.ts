/**
 * A child process with everything it starts: ended as a group, also when the test run itself is interrupted.
 * Windows has no process groups, and no server of these tests runs there.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const TERM_LIMIT_MS = 3_000;
const KILL_LIMIT_MS = 5_000;
const POLL_MS = 25;

const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) signalGroup(pid, 'SIGKILL');
});
// Without a handler these two end Node before 'exit' is emitted.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    // ESRCH: nobody of the group is left.
    return false;
  }
}

/** Resolves to whether `condition` held before the limit. For what lies outside this process and has no event. */
export async function eventually(condition: () => boolean, limitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) return false;
    await delay(POLL_MS);
  }
  return true;
}

export interface ProcessGroup {
  child: ChildProcess;
  /** Ends every process of the group: politely, then by force. Throws when one survives that. */
  end: () => Promise<void>;
}

/** Starts `file` as the leader of a new group, its output appended to `logFile`. */
export function startGroup(
  file: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; cwd: string; logFile: string },
): ProcessGroup {
  const log = openSync(options.logFile, 'a');
  const child = spawn(file, [...args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} could not be started.`);
  groups.add(pid);
  return {
    child,
    async end() {
      for (const [signal, limitMs] of [
        ['SIGTERM', TERM_LIMIT_MS],
        ['SIGKILL', KILL_LIMIT_MS],
      ] as const) {
        if (!signalGroup(pid, signal)) break;
        if (await eventually(() => !signalGroup(pid, 0), limitMs)) break;
      }
      if (signalGroup(pid, 0)) throw new Error(`Process group ${pid} of ${file} does not end.`);
      groups.delete(pid);
    },
  };
}
