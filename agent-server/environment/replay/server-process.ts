/**
 * The agent-server as a child of the replay, started again with back-off when it dies. It ends with the replay,
 * however that ends, because its standard input is a pipe from here. Speaking to it is left to
 * `server-link.ts` and `gateway-client.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HEAP_ARGUMENTS } from '../../heap.ts';
import { BackOff } from '../../protocol/back-off.ts';
import { Discovery } from '../../protocol/discovery.ts';
import { ApprenticeError } from '../../protocol/errors.ts';

export interface ServerProcessOptions {
  home: string;
  python: string;
  model: string;
  /** Called when it died without being asked to. */
  onDeath: (how: string) => void;
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 100;
/** So often in a row may it end before it ever served. */
const MAX_FAILED_STARTS = 4;
const MAX_STDERR_CHARS = 4000;
const SERVER_FILE = join(import.meta.dirname, '..', '..', 'main.ts');

export class ServerProcess {
  readonly #options: ServerProcessOptions;
  readonly #backOff = new BackOff();
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #stopping = false;
  #failedStarts = 0;
  #lastWords = '';

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    this.#stopping = false;
    if (this.#child === null) this.#spawn();
  }

  /** Where the process that runs now listens; waits for it. Throws `setup_failed` when it keeps ending, else `timeout`. */
  async discovery(signal: AbortSignal): Promise<Discovery> {
    const deadlineMs = performance.now() + START_LIMIT_MS;
    for (;;) {
      signal.throwIfAborted();
      const found = await readDiscovery(this.#options.home);
      if (found !== null && found.pid === this.#child?.pid) {
        this.#failedStarts = 0;
        return found;
      }
      if (this.#failedStarts >= MAX_FAILED_STARTS) throw this.#notStarting('setup_failed');
      // A machine under load starts slowly: worth waiting for again.
      if (performance.now() > deadlineMs) throw this.#notStarting('timeout');
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Ends it in good order. Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill('SIGTERM');
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await gone;
    clearTimeout(kill);
  }

  #spawn(): void {
    const { home, python, model, onDeath } = this.#options;
    const startedAtMs = performance.now();
    const child = spawn(process.execPath, [...HEAP_ARGUMENTS, SERVER_FILE, '--parent-pipe'], {
      stdio: ['pipe', 'ignore', 'pipe'],
      // Its own group: Ctrl-C in the terminal reaches the replay alone, which then ends all in order.
      detached: process.platform !== 'win32',
      windowsHide: true,
      env: { ...process.env, APPRENTICE_HOME: home, APPRENTICE_PYTHON: python, APPRENTICE_MODEL: model },
    });
    this.#child = child;
    this.#lastWords = '';
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-MAX_STDERR_CHARS);
    });
    child.once('error', (error) => {
      this.#lastWords += error.message;
    });
    child.once('close', (code, killedBy) => {
      this.#child = null;
      if (this.#stopping) return;
      this.#failedStarts += 1;
      onDeath(killedBy ?? `exit code ${code}`);
      this.#restart = setTimeout(() => this.#spawn(), this.#backOff.delayMs(performance.now() - startedAtMs));
    });
  }

  #notStarting(code: 'setup_failed' | 'timeout'): ApprenticeError {
    return new ApprenticeError(
      code,
      `The agent-server does not start. ${this.#lastWords.trim()}`.trim(),
      `See ${join(this.#options.home, 'logs', 'agent-server.log')}.`,
    );
  }
}

/** Null while there is none, or only half of one. */
async function readDiscovery(home: string): Promise<Discovery | null> {
  try {
    return Discovery.safeParse(JSON.parse(await readFile(join(home, 'discovery.json'), 'utf8'))).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
