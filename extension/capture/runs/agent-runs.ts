/**
 * Commands that our own agent runs (agent/): told like those of a terminal, as run by the agent, of the turn whose edit came
 * last before; and compared with what the same command showed earlier, whoever ran it.
 */
import { type Disposable, Uri } from 'vscode';
import { looksAround } from '../../../agent-server/evidence/command-line.ts';
import type { EarlierRuns } from './earlier-runs.ts';
import { keptOutput } from './kept-text.ts';
import type { TurnsAtWork } from './turns-at-work.ts';

const MAX_COMMAND_CHARS = 2_000;

/** A run that has begun. */
export interface BegunRun {
  /** `output`: text of the screen. */
  ended(run: { exitCode: number | null; output: string }): Promise<void>;
}

export class AgentRuns {
  readonly #turns: TurnsAtWork;
  readonly #earlier: EarlierRuns;

  constructor(turns: TurnsAtWork, earlier: EarlierRuns) {
    this.#turns = turns;
    this.#earlier = earlier;
  }

  /** `cwd`: a workspace folder. */
  begin(kind: 'terminal' | 'test_run', commandLine: string, cwd: string): BegunRun {
    const turns = this.#turns;
    const folder = turns.folderOf(Uri.file(cwd));
    const attributed = folder === undefined ? undefined : turns.turnOfRun(folder);
    return {
      ended: async ({ exitCode, output: text }) => {
        const endedMs = Date.now();
        if (!turns.mayCapture || folder === undefined || looksAround(commandLine)) return;
        const output = await keptOutput(text, turns.scrub);
        const command = await keptOutput(commandLine, turns.scrub, MAX_COMMAND_CHARS);
        if (attributed !== undefined) {
          const { turnId, arrivedMs, editedSince } = attributed;
          const before = this.#earlier.before(command, cwd, arrivedMs);
          const run = { exitCode, output, editedSince };
          turns.report(
            turnId,
            kind === 'terminal'
              ? { kind, source: 'agent', commandLine: command, cwd, before, ...run }
              : { kind, before: before?.output ?? null, testDiff: null, ...run },
          );
        }
        this.#earlier.remember(command, cwd, { exitCode, output }, endedMs);
      },
    };
  }

  /** What changes in this document until then is a review's doing, and not the user at work. Its path. */
  reviewing(document: string): Disposable {
    return this.#turns.reviewing(document);
  }

  /** The user took an edit of a turn, whole or in part, in this document. */
  reviewed(turnId: string, document: string, decision: 'accepted' | 'edited'): void {
    this.#turns.reviewed(turnId, Uri.file(document), decision);
  }
}
