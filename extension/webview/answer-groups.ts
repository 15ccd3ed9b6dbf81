/** The curve in groups: judged first answers by week or by version. Pure; drawing is progress-section.ts's. */
import type { AnswerGroup } from '../../agent-server/protocol/data.ts';
import { shortVersion } from './format.ts';
import { t } from './l10n.ts';

export interface GroupRow {
  /** A week's Monday, or a version. */
  key: string;
  answers: number;
  /** Share taken as they stood. */
  accepted: number;
  correctionsPerAnswer: number;
  /** Mean share of edits' lines that was left; null where no edit was followed. */
  survival: number | null;
  /** Mean likeness to what was wanted, 0 to 1; null where it is not known. */
  likeness: number | null;
  /** Of a week: the versions that answered, as "v3" or "v3 to v7". */
  versions: string;
}

/** Newest first. */
export function groupRows(groups: readonly AnswerGroup[], by: 'week' | 'version'): GroupRow[] {
  const keyed = Map.groupBy(groups, (group) => group[by]);
  return [...keyed]
    .map(([key, of]): GroupRow => {
      const sum = (field: Exclude<keyof AnswerGroup, 'week' | 'version'>): number =>
        of.reduce((total, group) => total + group[field], 0);
      const answers = sum('answers');
      const edits = sum('edits');
      const likened = sum('likened');
      return {
        key,
        answers,
        accepted: sum('accepted') / answers,
        correctionsPerAnswer: sum('corrections') / answers,
        survival: edits === 0 ? null : sum('survival') / edits,
        likeness: likened === 0 ? null : sum('likeness') / likened / 100,
        versions: span(of.map(({ version }) => version)),
      };
    })
    .sort((a, b) => order(b.key) - order(a.key));
}

/** Weeks by their date, versions by their number. */
function order(key: string): number {
  return key.startsWith('policy@v') ? Number(key.slice('policy@v'.length)) : Date.parse(key);
}

function span(versions: readonly string[]): string {
  const sorted = versions.toSorted((a, b) => order(a) - order(b)).map(shortVersion);
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)];
  return first === last ? first : t('{0} to {1}', first, last);
}
