/**
 * The live table: what was proposed, what the author wrote, and what the loops are doing. On a terminal it is
 * drawn again in place; elsewhere each commit is one line, printed once it is judged.
 */
import { versionNumber } from '../../protocol/ids.ts';
import type { PanelSnapshot } from '../../protocol/panel.ts';
import { oneLine } from './plain-text.ts';
import type { ArmName, Phase, Progress, TrainingRow } from './progress.ts';

/** What the table writes to. */
export interface Screen {
  write(text: string): void;
  isTTY: boolean;
  columns: number;
  rows: number;
}

const REDRAW_MS = 200;
/** Of a line where there is no terminal to measure. */
const PLAIN_WIDTH = 160;
const PHASES: Record<Phase, string> = {
  starting: 'starting the engine',
  before: 'answering the held-out commits before learning',
  learning: 'learning',
  settling: 'waiting for the last corrections to be learnt',
  after: 'answering the held-out commits after learning',
};

export class LiveTable {
  readonly #screen: Screen;
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  #arm: ArmName = 'learn';
  #phase: Phase = 'starting';
  #done = 0;
  #total = 0;
  #rows = new Map<number, TrainingRow>();
  #printed = new Set<number>();
  #snapshot: PanelSnapshot | null = null;
  #trouble: string | null = null;
  #drawnLines = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(screen: Screen, nowMs: () => number) {
    this.#screen = screen;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  readonly see = (progress: Progress): void => {
    switch (progress.kind) {
      case 'phase':
        this.#begin(progress.arm, progress.phase, progress.total);
        break;
      case 'heldOut':
        this.#done = progress.done;
        if (!this.#screen.isTTY) this.#line(`  ${progress.done}/${progress.total} answered`);
        break;
      case 'row':
        this.#rows.set(progress.row.index, progress.row);
        this.#done = [...this.#rows.values()].filter(({ state }) => state === 'done').length;
        this.#trouble = null;
        if (!this.#screen.isTTY) this.#printJudged();
        break;
      case 'snapshot':
        this.#snapshot = progress.snapshot;
        break;
      case 'trouble':
        if (this.#trouble !== progress.text && !this.#screen.isTTY)
          this.#line(`  ${oneLine(progress.text, 200)}`);
        this.#trouble = progress.text;
        break;
    }
    this.#drawSoon();
  };

  /** Draws a last time and leaves the lines standing. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#draw();
    this.#drawnLines = 0;
  }

  #begin(arm: ArmName, phase: Phase, total: number): void {
    if (arm !== this.#arm) {
      this.end();
      this.#rows = new Map();
      this.#printed = new Set();
      this.#snapshot = null;
    }
    this.#arm = arm;
    this.#phase = phase;
    this.#total = total;
    if (phase !== 'settling') this.#done = 0;
    if (this.#screen.isTTY) return;
    this.#line(`${this.#arm === 'control' ? 'Control arm: ' : ''}${PHASES[phase]}`);
    if (phase === 'learning') this.#line(tableHead(PLAIN_WIDTH));
  }

  #printJudged(): void {
    for (const row of this.#rows.values()) {
      if (row.state === 'answered' || this.#printed.has(row.index)) continue;
      this.#printed.add(row.index);
      this.#line(tableLine(row, PLAIN_WIDTH));
      if (this.#snapshot !== null) this.#line(`         ${oneLine(loopsLine(this.#snapshot), PLAIN_WIDTH)}`);
    }
  }

  #line(text: string): void {
    this.#screen.write(`${text}\n`);
  }

  #drawSoon(): void {
    if (!this.#screen.isTTY || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#draw();
    }, REDRAW_MS);
  }

  #draw(): void {
    if (!this.#screen.isTTY) return;
    const width = Math.max(60, this.#screen.columns) - 1;
    const room = Math.max(4, this.#screen.rows - 6);
    const rows = [...this.#rows.values()].slice(-room).map((row) => tableLine(row, width));
    const lines = [
      ...(rows.length === 0 ? [] : [tableHead(width), ...rows]),
      oneLine(this.#progressLine(), width),
      ...(this.#snapshot === null ? [] : [oneLine(loopsLine(this.#snapshot), width)]),
      ...(this.#trouble === null ? [] : [oneLine(`! ${this.#trouble}`, width)]),
    ];
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\u001b[0J` : '';
    this.#screen.write(`${up}${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #progressLine(): string {
    const seconds = Math.round((this.#nowMs() - this.#startedAtMs) / 1000);
    const arm = this.#arm === 'control' ? 'control arm, ' : '';
    const share = this.#total === 0 ? '' : ` ${bar(this.#done / this.#total)} ${this.#done}/${this.#total}`;
    return `${clock(seconds)}  ${arm}${PHASES[this.#phase]}${share}`;
  }
}

/** Columns: commit, proposed, real, score, version that answered, version that learnt. */
export function tableHead(width: number): string {
  return columns(['commit', 'proposed', 'real', 'score', 'by', 'learnt by'], width);
}

export function tableLine(row: TrainingRow, width: number): string {
  const score =
    row.score === null ? (row.state === 'answered' ? '...' : '-') : row.score > 0 ? '+1' : `${row.score}`;
  const learnt =
    row.learntBy === null ? (row.state === 'done' ? '-' : '...') : `v${versionNumber(row.learntBy)}`;
  return columns(
    [row.sha.slice(0, 7), row.proposed, row.real, score, `v${versionNumber(row.version)}`, learnt],
    width,
  );
}

export function loopsLine(snapshot: PanelSnapshot): string {
  const loops = snapshot.loops.map(
    ({ name, queued, state }) => `${name} ${queued}${state === 'working' ? '*' : ''}`,
  );
  const training =
    snapshot.training === null
      ? ''
      : `  ${snapshot.training.version} ${snapshot.training.phase} ${Math.round(snapshot.training.fraction * 100)}%`;
  return `queues: ${loops.join(', ')}  serving ${snapshot.serving}${training}`;
}

function columns(cells: readonly string[], width: number): string {
  const [sha = '', proposed = '', real = '', score = '', by = '', learnt = ''] = cells;
  const rest = 7 + 5 + 4 + 9 + 5 * 2;
  const text = Math.max(12, Math.floor((width - rest) / 2));
  const cell = (value: string, chars: number): string => oneLine(value, chars).padEnd(chars);
  return [cell(sha, 7), cell(proposed, text), cell(real, text), cell(score, 5), cell(by, 4), cell(learnt, 9)]
    .join('  ')
    .trimEnd();
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, share) * 20);
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`;
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
