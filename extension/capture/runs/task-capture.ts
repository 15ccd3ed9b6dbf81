/**
 * Ends of the editor's tasks, with their exit codes. VS Code gives no output of a task here, but marks where it begins
 * and ends in its terminal, as shells with integration do: what terminal-capture.ts reads there is handed over.
 */
import {
  type Disposable,
  type Task,
  type TaskExecution,
  tasks,
  type WorkspaceFolder,
  workspace,
} from 'vscode';
import type { Attributed } from './attribution.ts';
import type { EarlierRuns } from './earlier-runs.ts';
import { keptText } from './kept-text.ts';
import type { TurnsAtWork } from './turns-at-work.ts';

const MAX_NAME_CHARS = 500;
/** Tasks under way that are followed. */
const MAX_RUNNING = 20;
/** What the terminal shows has been read by then. */
const OUTPUT_LIMIT_MS = 2_000;

interface Running {
  readonly processId: number;
  readonly folder: string;
  readonly attributed: Attributed | undefined;
  output: string;
  /** It has ended, and waits for its output. */
  timer: NodeJS.Timeout | undefined;
}

export class TaskCapture implements Disposable {
  readonly #turns: TurnsAtWork;
  readonly #earlier: EarlierRuns;
  readonly #running = new Map<TaskExecution, Running>();
  readonly #subscriptions: Disposable[];

  constructor(turns: TurnsAtWork, earlier: EarlierRuns) {
    this.#turns = turns;
    this.#earlier = earlier;
    this.#subscriptions = [
      tasks.onDidStartTaskProcess(({ execution, processId }) => this.#started(execution, processId)),
      tasks.onDidEndTaskProcess(({ execution, exitCode }) => this.#ended(execution, exitCode ?? null)),
      turns.onDidStop(() => this.#forgetAll()),
    ];
  }

  /** Does the process belong to a task? Then `output` is what it showed. */
  take(processId: number, output: string): boolean {
    const running = [...this.#running.values()].find((one) => one.processId === processId);
    if (running !== undefined) running.output = output;
    return running !== undefined;
  }

  dispose(): void {
    this.#forgetAll();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #started(execution: TaskExecution, processId: number): void {
    const folder = this.#turns.folderOf(folderOf(execution.task)?.uri);
    if (!this.#turns.mayCapture || folder === undefined || this.#running.size >= MAX_RUNNING) return;
    // One that stays tells of what it sees while it runs, and nothing by its end.
    if (execution.task.isBackground) return;
    const attributed = this.#turns.turnOfRun(folder);
    this.#running.set(execution, { processId, folder, attributed, output: '', timer: undefined });
  }

  #ended(execution: TaskExecution, exitCode: number | null): void {
    const running = this.#running.get(execution);
    if (running === undefined || running.timer !== undefined) return;
    const endedMs = Date.now();
    running.timer = setTimeout(() => {
      this.#running.delete(execution);
      this.#tell(execution.task.name, running, exitCode, endedMs);
    }, OUTPUT_LIMIT_MS);
  }

  #tell(taskName: string, running: Running, exitCode: number | null, endedMs: number): void {
    const { folder, attributed, output } = running;
    const name = keptText(taskName, MAX_NAME_CHARS);
    const key = `task ${name}`;
    if (attributed !== undefined) {
      const { turnId, arrivedMs, editedSince } = attributed;
      const before = this.#earlier.before(key, folder, arrivedMs);
      this.#turns.report(turnId, { kind: 'task', name, exitCode, output, before, editedSince });
    }
    if (this.#turns.mayCapture) this.#earlier.remember(key, folder, { exitCode, output }, endedMs);
  }

  #forgetAll(): void {
    for (const { timer } of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }
}

/** The folder that it is a task of; of the whole workspace's the only one. */
function folderOf({ scope }: Task): WorkspaceFolder | undefined {
  if (typeof scope === 'object') return scope;
  const [only, ...others] = workspace.workspaceFolders ?? [];
  return others.length === 0 ? only : undefined;
}
