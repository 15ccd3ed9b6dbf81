/**
 * A supervised child that speaks JSON lines: spawned, watched, restarted with back-off, ended with its parent. Knows
 * nothing of what the lines mean beyond `type: "ready"`; engine and trainer give the schema. Which program it is, its
 * owner says (python-process.ts for our Python).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { BackOff } from '../agent-server/protocol/back-off.ts';
import { ApprenticeError, type ErrorCode } from '../agent-server/protocol/errors.ts';
import type { ProcessState } from '../agent-server/protocol/link.ts';

/** Starts in a row that never got ready before the state says `failed`. It is still tried again. */
const FAILED_AFTER_STARTS = 4;
/** Loading a model from a slow disk takes its time; hanging for ever is a fault. */
const READY_TIMEOUT_MS = 300_000;
const STOP_GRACE_MS = 2_000;

/** What is run. */
export interface Program {
  command: string;
  args: readonly string[];
  /** Beside, and over, what every child is given. */
  env?: Readonly<Record<string, string>>;
}

export interface LineProcessOptions<Event extends { type: string }> extends Program {
  /** For messages: `engine` or `trainer`. */
  name: string;
  /** Every line of standard output. One that does not parse ends the child: the two sides disagree. */
  event: z.ZodType<Event>;
  /** What a caller gets from `send` while the child is away. */
  unavailable: ErrorCode;
  /** Scheduling priority from 0 (normal) to 19 (only what nobody else wants). */
  niceness: number;
  /** Without it, five minutes. */
  readyTimeoutMs?: number;
  log: (line: string) => void;
  onEvent: (event: Event) => void;
  /** The child is gone, with everything it held. Called before the state changes. */
  onExit: (error: ApprenticeError) => void;
}

/**
 * How OpenMP's threads wait. Awake, they take the core that others wait for: engine and trainer share the cores with
 * each other and with all that the user runs. Asleep, they take as long to be woken as a product of few rows takes. So
 * they sleep after some microseconds. A pass of the default model took 16 ms with nothing beside it, and 38 with a
 * process that takes a core; asleep at once 25 and 21, after ten times as long 15 and 177 (2 cores).
 * The count is of GNU OpenMP, which torch has on Linux.
 */
export const MATH_THREADS = { OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '2000' } as const;

export class LineProcess<Event extends { type: string }> {
  readonly #options: LineProcessOptions<Event>;
  readonly #listeners = new Set<(state: ProcessState) => void>();
  #state: ProcessState = { state: 'starting', restarts: 0, detail: null };
  #child: ChildProcess | null = null;
  #startedAtMs = 0;
  #startsInARow = 0;
  readonly #backOff = new BackOff();
  #timer: NodeJS.Timeout | null = null;
  #lastErrorLine = '';
  #stopped = false;

  constructor(options: LineProcessOptions<Event>) {
    this.#options = options;
  }

  state(): ProcessState {
    return this.#state;
  }

  /** The child's process id while it lives. */
  pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Calls `listener` at every change; returns the way to stop that. */
  onStateChange(listener: (state: ProcessState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#stopped = false;
    this.#spawn();
  }

  /** Resolves at `ready`. Rejects when the process keeps dying before it, or at abort. */
  async whenReady(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state.state === 'ready') return;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => end(() => reject(signal.reason));
      const unsubscribe = this.onStateChange((state) => {
        if (state.state === 'ready') end(resolve);
        if (state.state === 'failed') end(() => reject(this.#unavailable()));
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Writes one command. Throws the `unavailable` code unless the child is ready. */
  send(command: object): void {
    if (this.#state.state !== 'ready' || !this.#child?.stdin) throw this.#unavailable();
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Ends standard input, which ends the child; one that does not heed it is killed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin?.end();
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
    await gone;
    clearTimeout(kill);
  }

  #spawn(): void {
    const { command, args, niceness, name } = this.#options;
    const readyTimeoutMs = this.#options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const { APPRENTICE_WORKER_KEY: _key, ...env } = process.env;
    const child = spawn(command, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      env: {
        ...env,
        ...MATH_THREADS,
        ...this.#options.env,
      },
    });
    this.#child = child;
    this.#startedAtMs = performance.now();
    this.#startsInARow += 1;
    this.#lastErrorLine = '';
    let exitReason: string | null = null;
    const readyTimer = setTimeout(() => {
      exitReason = `was not ready after ${readyTimeoutMs / 1000} s`;
      child.kill('SIGKILL');
    }, readyTimeoutMs);

    if (niceness > 0 && child.pid !== undefined) setPriority(child.pid, niceness);
    child.stdin.on('error', (error) => this.#options.log(`${name}: standard input: ${error.message}`));
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.trim()) this.#lastErrorLine = line;
      this.#options.log(line);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = this.#parse(line);
      if (!event) {
        exitReason = `wrote a line that this version does not understand: ${line.slice(0, 200)}`;
        child.kill('SIGKILL');
        return;
      }
      if (event.type === 'ready') {
        clearTimeout(readyTimer);
        this.#startsInARow = 0;
        // The owner hears of it first, so that whoever waits for the state finds the owner ready too.
        this.#options.onEvent(event);
        this.#change({ ...this.#state, state: 'ready', detail: null });
      } else {
        this.#options.onEvent(event);
      }
    });
    child.once('error', (error) => {
      exitReason = `could not be started: ${error.message}`;
      clearTimeout(readyTimer);
      if (child.pid === undefined) this.#exited(child, exitReason);
    });
    child.once('close', (code, signal) => {
      clearTimeout(readyTimer);
      this.#exited(
        child,
        exitReason ?? `ended with ${signal ?? `code ${code}`}. ${this.#lastErrorLine}`.trim(),
      );
    });
  }

  #parse(line: string): Event | null {
    try {
      return this.#options.event.parse(JSON.parse(line));
    } catch (error) {
      this.#options.log(`${this.#options.name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  #exited(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    const detail = `The ${this.#options.name} process ${reason}`;
    this.#options.log(detail);
    this.#options.onExit(
      new ApprenticeError(this.#options.unavailable, detail, 'It is being restarted; try again.'),
    );
    if (this.#stopped) return;
    const failed = this.#startsInARow >= FAILED_AFTER_STARTS;
    this.#timer = setTimeout(
      () => this.#spawn(),
      this.#backOff.delayMs(performance.now() - this.#startedAtMs),
    );
    this.#change({
      state: failed ? 'failed' : 'restarting',
      restarts: this.#state.restarts + 1,
      detail,
    });
  }

  #change(state: ProcessState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  #unavailable(): ApprenticeError {
    const { name, unavailable } = this.#options;
    const { state, detail } = this.#state;
    const remedy = state === 'failed' ? `See logs/${name}.log.` : 'Try again in a moment.';
    return new ApprenticeError(unavailable, detail ?? `The ${name} process is ${state}.`, remedy);
  }
}
