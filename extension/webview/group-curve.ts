/**
 * The curve by week or by version, as numbers: a point a group, the bands behind them, and where versions begin. Pure;
 * drawing is group-chart.ts's. A band is drawn of what was measured, and of nothing else.
 */
import type { AnswerGroup } from '../../agent-server/protocol/data.ts';
import type { ArmResult, Comparison } from '../../agent-server/protocol/promotion.ts';
import { type GroupRow, groupRows } from './answer-groups.ts';
import { shortVersion } from './format.ts';

/** likeness: how like first answers were to what the user wanted. */
export type Measure = 'accepted' | 'corrections' | 'survival' | 'likeness';

/** 0 to 1, but for corrections an answer. */
export interface Point {
  key: string;
  value: number;
  answers: number;
  /** Versions that answer for the first time here: "v3", "v3 to v5"; '' for none. */
  begins: string;
}

export interface Band {
  of: 'base' | 'control';
  mean: number;
  /** Ends of its interval, 80% two-sided; null: only the mean is known. */
  spread: { low: number; high: number } | null;
  /** What it was measured on: first answers in use, or answers given anew in a comparison. */
  answers: number;
}

const BASE = 'policy@v0';
/** Of the standard normal: 80% lie within. */
const Z = 1.2816;

/** Oldest first. Groups of which the measure is not known have no point. */
export function points(groups: readonly AnswerGroup[], by: 'week' | 'version', measure: Measure): Point[] {
  const seen = new Set<string>();
  const versionsOf = (week: string): string[] =>
    groups.filter((group) => group.week === week).map(({ version }) => version);
  return groupRows(groups, by)
    .reverse()
    .flatMap((row) => {
      const fresh = by === 'week' ? versionsOf(row.key).filter((version) => !seen.has(version)) : [];
      for (const version of fresh) seen.add(version);
      const value = measured(row, measure);
      return value === null ? [] : [{ key: row.key, value, answers: row.answers, begins: span(fresh) }];
    });
}

/** In use the base answered before anything was trained; its answers, and the control's, are measured by comparisons. */
export function bands(
  groups: readonly AnswerGroup[],
  comparison: Comparison | undefined,
  measure: Measure,
): Band[] {
  if (measure === 'likeness')
    return (['base', 'control'] as const).flatMap((of) => {
      const arm = comparison?.report.arms.find((one) => one.arm === of);
      return arm === undefined ? [] : (measuredBand(of, arm, comparison?.report.answered ?? 0) ?? []);
    });
  const [row] = groupRows(
    groups.filter(({ version }) => version === BASE),
    'version',
  );
  const mean = row === undefined ? null : measured(row, measure);
  if (row === undefined || mean === null) return [];
  const spread = measure === 'accepted' ? wilson(mean, row.answers) : null;
  return [{ of: 'base', mean, spread, answers: row.answers }];
}

function measuredBand(of: Band['of'], { chrf, chrfInterval }: ArmResult, answers: number): Band | null {
  if (chrf === null || chrfInterval === null) return null;
  const spread = { low: chrfInterval.low / 100, high: chrfInterval.high / 100 };
  return { of, mean: chrf / 100, spread, answers };
}

function measured(row: GroupRow, measure: Measure): number | null {
  switch (measure) {
    case 'accepted':
      return row.accepted;
    case 'corrections':
      return row.correctionsPerAnswer;
    case 'survival':
      return row.survival;
    case 'likeness':
      return row.likeness;
  }
}

/** Wilson's interval of a share of `n`, 80% two-sided: with few answers it does not pretend to know. */
export function wilson(share: number, n: number): { low: number; high: number } {
  const z2 = Z * Z;
  const middle = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

function span(versions: readonly string[]): string {
  const sorted = versions.map(shortVersion).toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)];
  return first === last ? first : `${first}–${last}`;
}
