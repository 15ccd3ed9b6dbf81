/**
 * Runs one command line in a shell in a terminal of its own (node-pty), so that programs behave as they do for a person;
 * what its screen shows at the end is the output (capture/runs/screen.ts). Whether it may run is confirm-command.ts's.
 */
import { existsSync } from 'node:fs';
import type { IPty } from '@lydell/node-pty';

export interface ShellRun {
  /** Null: it was ended, not by itself. */
  readonly exitCode: number | null;
  /** Text of the screen. */
  readonly output: string;
  readonly ended: 'itself' | 'late' | 'stopped';
}

/** A build may take that long; a server never ends. */
const RUN_LIMIT_MS = 5 * 60_000;
/** Then it is not asked any more. */
const END_LIMIT_MS = 2_000;
const COLUMNS = 120;
const ROWS = 40;
/** What is printed after that is not read. */
const MAX_READ_CHARS = 8_000_000;
/** Printed and not drawn yet: then the program waits. */
const MAX_WAITING_CHARS = 500_000;

/** `cwd` absolute. Ends with the process, after the limit, or when `signal` aborts; all that was started is ended then. Rejects when nothing could be started. */
export async function runInShell(
  command: string,
  cwd: string,
  signal: AbortSignal,
  limitMs: number = RUN_LIMIT_MS,
): Promise<ShellRun> {
  const [{ spawn }, { Screen }] = await Promise.all([
    import('@lydell/node-pty'),
    import('../capture/runs/screen.ts'),
  ]);
  signal.throwIfAborted();
  const [shell, args] = shellFor(command);
  const screen = new Screen();
  const pty = spawn(shell, args, { cwd, cols: COLUMNS, rows: ROWS, env: environment(process.env) });
  const reading = new Reading(pty, (data) => screen.write(data));
  const exited = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode, signal: by }) => resolve(by ? 128 + by : exitCode));
  });
  const { promise: over, resolve: end } = Promise.withResolvers<'late' | 'stopped'>();
  const timer = setTimeout(() => end('late'), limitMs);
  const stop = (): void => end('stopped');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const first = await Promise.race([exited, over]);
    if (typeof first !== 'number') await endGroup(pty, exited);
    await reading.drawn();
    const ended = typeof first === 'number' ? 'itself' : first;
    return { exitCode: typeof first === 'number' ? first : null, output: screen.text(), ended };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    screen.dispose();
  }
}

/** What the terminal prints, drawn one piece after the other. */
class Reading {
  readonly #pty: IPty;
  readonly #draw: (data: string) => Promise<void>;
  #drawing: Promise<void> = Promise.resolve();
  #waiting = 0;
  #read = 0;

  constructor(pty: IPty, draw: (data: string) => Promise<void>) {
    this.#pty = pty;
    this.#draw = draw;
    pty.onData((data) => this.#came(data));
  }

  drawn(): Promise<void> {
    return this.#drawing;
  }

  #came(data: string): void {
    this.#read += data.length;
    if (this.#read > MAX_READ_CHARS) return;
    this.#waiting += data.length;
    if (this.#waiting > MAX_WAITING_CHARS) this.#pty.pause();
    this.#drawing = this.#drawing
      .then(() => this.#draw(data))
      .then(() => {
        this.#waiting -= data.length;
        if (this.#waiting <= MAX_WAITING_CHARS) this.#pty.resume();
      });
  }
}

/** Ends the shell and all that it started: they are one process group, which has the terminal's number. */
async function endGroup(pty: IPty, exited: Promise<number>): Promise<void> {
  if (process.platform === 'win32') {
    pty.kill();
    await Promise.race([exited, new Promise((late) => setTimeout(late, END_LIMIT_MS))]);
    return;
  }
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(-pty.pid, signal);
    } catch {
      // Nobody is left.
      return;
    }
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), END_LIMIT_MS));
    if ((await Promise.race([exited, late])) !== false && signal === 'SIGKILL') return;
  }
}

function shellFor(command: string): [string, string[] | string] {
  // Windows takes a command line as it is; the quotes around it are cmd's own.
  if (process.platform === 'win32') return [process.env['ComSpec'] ?? 'cmd.exe', `/d /s /c "${command}"`];
  return [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh', ['-c', command]];
}

/** The editor's own, without what it tells its own processes, and without programs that wait for a reader. */
function environment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^(?:VSCODE_|ELECTRON_)/.test(entry[0]),
  );
  return { ...Object.fromEntries(own), TERM: 'xterm-256color', PAGER: 'cat', GIT_PAGER: 'cat' };
}
