/**
 * Commands in the window's terminals, by shell integration. A command is read when it may be reported (a turn is at
 * work where it runs) or may be compared with later (learning is on); a look around is not. Whose it is, and what was
 * printed before, are the files beside it; what it means is the agent-server's.
 */
import {
  type Disposable,
  type LogOutputChannel,
  type Terminal,
  type TerminalShellExecution,
  window,
} from 'vscode';
import { looksAround } from '../../../agent-server/evidence/command-line.ts';
import { messageOf } from '../../log.ts';
import type { Attributed } from './attribution.ts';
import type { EarlierRuns } from './earlier-runs.ts';
import { keptOutput } from './kept-text.ts';
import type { TaskCapture } from './task-capture.ts';
import type { TurnsAtWork } from './turns-at-work.ts';

/** Commands read at once; what is beyond is not read. */
const MAX_RUNNING = 10;
/**
 * What is printed after that is not read: a server that runs all day. VS Code itself holds what a command prints from
 * the moment somebody reads it until it ends, and there is no way to take that back.
 */
const MAX_READ_CHARS = 8_000_000;
const MAX_COMMAND_CHARS = 2_000;
/** A shell with integration has said so by then. */
const INTEGRATION_LIMIT_MS = 10_000;

interface Running {
  readonly terminal: Terminal;
  readonly folder: string;
  readonly attributed: Attributed | undefined;
  /** Null: it could not be read. */
  readonly output: Promise<string | null>;
  /** Ends the reading. */
  readonly stop: AbortController;
}

export class TerminalCapture implements Disposable {
  readonly #turns: TurnsAtWork;
  readonly #earlier: EarlierRuns;
  readonly #tasks: TaskCapture;
  readonly #log: LogOutputChannel;
  readonly #running = new Map<TerminalShellExecution, Running>();
  readonly #subscriptions: Disposable[];
  readonly #awaited = new Map<Terminal, NodeJS.Timeout>();
  #saidMissing = false;

  constructor(turns: TurnsAtWork, earlier: EarlierRuns, tasks: TaskCapture, log: LogOutputChannel) {
    this.#turns = turns;
    this.#tasks = tasks;
    this.#earlier = earlier;
    this.#log = log;
    this.#subscriptions = [
      window.onDidStartTerminalShellExecution(({ terminal, execution }) =>
        this.#started(terminal, execution),
      ),
      window.onDidEndTerminalShellExecution(({ execution, exitCode }) => {
        void this.#ended(execution, exitCode ?? null).catch((error: unknown) =>
          log.error(`A command in a terminal was not captured: ${messageOf(error)}`),
        );
      }),
      window.onDidOpenTerminal((terminal) => this.#awaitIntegration(terminal)),
      window.onDidCloseTerminal((terminal) => this.#closed(terminal)),
      turns.onDidStop(() => this.#forgetAll()),
    ];
  }

  dispose(): void {
    this.#forgetAll();
    for (const timer of this.#awaited.values()) clearTimeout(timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #started(terminal: Terminal, execution: TerminalShellExecution): void {
    const folder = this.#turns.folderOf(execution.cwd);
    if (!this.#turns.mayCapture || folder === undefined || this.#running.size >= MAX_RUNNING) return;
    if (looksAround(execution.commandLine.value)) return;
    const stop = new AbortController();
    // At once: what is printed before it is asked for is not given.
    const output = this.#read(execution.read(), stop.signal).catch((error: unknown) => {
      this.#log.warn(`The output of a command was not read: ${messageOf(error)}`);
      return null;
    });
    this.#running.set(execution, {
      terminal,
      folder,
      attributed: this.#turns.turnOfRun(folder),
      output,
      stop,
    });
  }

  async #ended(execution: TerminalShellExecution, exitCode: number | null): Promise<void> {
    const running = this.#running.get(execution);
    if (running === undefined) return;
    this.#running.delete(execution);
    const endedMs = Date.now();
    const { folder, attributed } = running;
    const printed = await running.output;
    if (printed === null || running.stop.signal.aborted || !this.#turns.mayCapture) return;
    const output = await keptOutput(printed, this.#turns.scrub);
    const processId = await running.terminal.processId;
    if (processId !== undefined && this.#tasks.take(processId, output)) return;
    // As it was at the end: only then the shell has told all of it.
    const commandLine = await keptOutput(execution.commandLine.value, this.#turns.scrub, MAX_COMMAND_CHARS);
    const cwd = execution.cwd?.fsPath ?? folder;
    if (attributed !== undefined) {
      const { turnId, arrivedMs, editedSince } = attributed;
      const before = this.#earlier.before(commandLine, cwd, arrivedMs);
      const run = { exitCode, output, before, editedSince };
      this.#turns.report(turnId, { kind: 'terminal', source: 'user', commandLine, cwd, ...run });
    }
    this.#earlier.remember(commandLine, cwd, { exitCode, output }, endedMs);
  }

  /** Text of the screen once the stream has ended, or printed too much, or is to stop. */
  async #read(stream: AsyncIterable<string>, signal: AbortSignal): Promise<string> {
    const { Screen } = await import('./screen.ts');
    const screen = new Screen();
    try {
      let readChars = 0;
      for await (const data of stream) {
        if (signal.aborted || readChars > MAX_READ_CHARS) break;
        readChars += data.length;
        await screen.write(data);
      }
      return screen.text();
    } finally {
      screen.dispose();
    }
  }

  #closed(terminal: Terminal): void {
    clearTimeout(this.#awaited.get(terminal));
    this.#awaited.delete(terminal);
    for (const [execution, running] of this.#running) {
      if (running.terminal !== terminal) continue;
      running.stop.abort();
      this.#running.delete(execution);
    }
  }

  #forgetAll(): void {
    for (const { stop } of this.#running.values()) stop.abort();
    this.#running.clear();
    this.#earlier.clear();
  }

  /** Said once: the user cannot do much about it, and all else goes on. */
  #awaitIntegration(terminal: Terminal): void {
    if (this.#saidMissing || 'pty' in terminal.creationOptions) return;
    const timer = setTimeout(() => {
      this.#awaited.delete(terminal);
      if (terminal.shellIntegration !== undefined || this.#saidMissing || !this.#turns.mayCapture) return;
      this.#saidMissing = true;
      this.#log.info(
        'A terminal has no shell integration: what is run in it is not seen. VS Code has it for bash, zsh, fish and PowerShell (setting terminal.integrated.shellIntegration.enabled).',
      );
    }, INTEGRATION_LIMIT_MS);
    this.#awaited.set(terminal, timer);
  }
}
