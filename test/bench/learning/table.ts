/** What came of all runs: one row an arm and user, medians over seeds with their spread. */
import { CHECKPOINTS, MAX_INTERACTIONS, type RunResult } from './run.ts';

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Row {
  user: string;
  arm: string;
  seeds: number;
  /** Interactions until three first answers in a row satisfied; never counts as MAX_INTERACTIONS + 1. */
  untilThree: Spread;
  /** At each of CHECKPOINTS; null where the runs ended before it. */
  heldOut: (Spread | null)[];
  /** At the last checkpoint of each run, and the worst of all. */
  drift: Spread;
  worstDrift: number;
  steps: Spread;
  refused: number;
  seconds: Spread;
}

export function rowsOf(results: readonly RunResult[]): Row[] {
  const groups = Map.groupBy(results, ({ user, arm }) => `${user}\0${arm}`);
  return [...groups.values()].flatMap((runs) => {
    const [first] = runs;
    if (first === undefined) return [];
    const drifts = runs.flatMap(({ checkpoints }) => checkpoints.map(({ drift }) => drift));
    return [
      {
        user: first.user,
        arm: first.arm,
        seeds: runs.length,
        untilThree: spread(runs.map(({ untilThreeInARow }) => untilThreeInARow ?? MAX_INTERACTIONS + 1)),
        heldOut: CHECKPOINTS.map((at) => {
          const shares = runs.flatMap(({ checkpoints }) =>
            checkpoints.filter(({ interactions }) => interactions === at).map(({ heldOut }) => heldOut),
          );
          return shares.length === 0 ? null : spread(shares);
        }),
        drift: spread(runs.map(({ checkpoints }) => checkpoints.at(-1)?.drift ?? 0)),
        worstDrift: Math.max(0, ...drifts),
        steps: spread(runs.map(({ steps }) => steps)),
        refused: runs.reduce((sum, run) => sum + run.refused, 0),
        seconds: spread(runs.map(({ seconds }) => seconds)),
      },
    ];
  });
}

/** Median (of an even number: the mean of the middle two), smallest and largest. NaN of nothing. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const high = sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN;
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** A Markdown table a user. */
export function tableText(rows: readonly Row[]): string {
  const users = [...new Set(rows.map(({ user }) => user))];
  const head = [
    'arm',
    '3 in a row',
    ...CHECKPOINTS.map((at) => `right at ${at}`),
    'drift',
    'worst',
    'steps',
    's',
  ];
  return users
    .map((user) => {
      const lines = rows.filter((row) => row.user === user).map(cells);
      const table = [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`);
      return `${user}\n\n${table.join('\n')}\n`;
    })
    .join('\n');
}

function cells(row: Row): string[] {
  const turns = (value: number) => (value > MAX_INTERACTIONS ? 'never' : String(value));
  return [
    row.arm,
    written(row.untilThree, turns),
    ...row.heldOut.map((one) => (one === null ? '' : written(one, (value) => value.toFixed(2)))),
    written(row.drift, (value) => value.toFixed(3)),
    row.worstDrift.toFixed(3),
    `${row.steps.median}${row.refused > 0 ? ` (${row.refused} refused)` : ''}`,
    row.seconds.median.toFixed(0),
  ];
}

function written({ median, min, max }: Spread, text: (value: number) => string): string {
  return min === max ? text(median) : `${text(median)} (${text(min)} to ${text(max)})`;
}
