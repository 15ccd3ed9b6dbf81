/**
 * What commands printed before an agent's edits came: the other half of a comparison. Held in this window's memory
 * only, bounded, and let out only beside a later run of the same command. Pure.
 */

export interface EarlierRun {
  readonly exitCode: number | null;
  readonly output: string;
}

interface Remembered extends EarlierRun {
  readonly command: string;
  readonly cwd: string;
  readonly endedMs: number;
}

const MAX_RUNS = 40;
const MAX_CHARS = 1_000_000;

export class EarlierRuns {
  #runs: Remembered[] = [];

  /** The oldest are given up when there are too many, or too long ones. */
  remember(command: string, cwd: string, run: EarlierRun, endedMs: number): void {
    const { exitCode, output } = run;
    this.#runs.push({ command: command.trim(), cwd, exitCode, output, endedMs });
    let chars = this.#runs.reduce((sum, one) => sum + one.output.length, 0);
    while (this.#runs.length > MAX_RUNS || chars > MAX_CHARS)
      chars -= this.#runs.shift()?.output.length ?? chars;
  }

  /** The last run of the same command in the same folder that had ended by then; null: none is remembered. */
  before(command: string, cwd: string, byMs: number): EarlierRun | null {
    const found = this.#runs.findLast(
      (one) => one.command === command.trim() && one.cwd === cwd && one.endedMs <= byMs,
    );
    return found === undefined ? null : { exitCode: found.exitCode, output: found.output };
  }

  clear(): void {
    this.#runs = [];
  }
}
