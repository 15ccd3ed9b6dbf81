/** Words and numbers for a person. Pure; the clock is an argument. */
import type { PanelTurn, PanelVersion } from '../../agent-server/protocol/panel.ts';
import { locale, t } from './l10n.ts';

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "3 minutes ago"; "just now" below a minute. */
export function timeAgo(iso: string, now: Date): string {
  const seconds = Math.round((now.getTime() - Date.parse(iso)) / 1000);
  for (const [unit, size] of UNITS) {
    if (seconds >= size) {
      return new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-Math.floor(seconds / size), unit);
    }
  }
  return 'just now';
}

export function percent(fraction: number): string {
  return new Intl.NumberFormat(locale, { style: 'percent' }).format(fraction);
}

/** With just so many places after the point. */
export function decimal(value: number, places: number): string {
  return value.toLocaleString(locale, { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** "+0.25"; the minus is the typographical one, as wide as the plus. */
export function signedDecimal(value: number, places = 2): string {
  return `${value < 0 ? '−' : '+'}${decimal(Math.abs(value), places)}`;
}

/** "40 s", "3 min": a length of time that nobody needs exactly. */
export function duration(seconds: number): string {
  return seconds < 90 ? t('{0} s', Math.max(1, Math.round(seconds))) : t('{0} min', Math.round(seconds / 60));
}

/** "5 Jan" of "2026-01-05": a week's Monday is a date, not a moment. */
export function weekName(iso: string): string {
  const format = { day: 'numeric', month: 'short', timeZone: 'UTC' } as const;
  return new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, format).format(new Date(iso));
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** "12.3 MB": in steps of 1,000, as disks are sold and most systems count. */
export function bytes(size: number): string {
  const power = Math.min(BYTE_UNITS.length - 1, size < 1 ? 0 : Math.floor(Math.log10(size) / 3));
  const value = size / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[power] ?? 'B'}`;
}

/** Of two whole texts the one for this number: the nouns of other languages do not just take an s. */
export function counted(n: number, one: string, many: string): string {
  return n === 1 ? one : many;
}

/** "1 sample", "2 samples"; nouns that take an s only. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** "3 samples"; "lessons on 4 requests" for a version that lesson distillation made. */
export function learntFrom(version: Pick<PanelVersion, 'sampleCount' | 'requestCount'>): string {
  const { sampleCount, requestCount } = version;
  return requestCount > 0 ? `lessons on ${count(requestCount, 'request')}` : count(sampleCount, 'sample');
}

/** "v7" for `policy@v7`, "base" for the model without an adapter. */
export function shortVersion(version: string): string {
  return version === 'policy@v0' ? 'base' : version.replace('policy@', '');
}

export const OUTCOMES: Record<PanelTurn['outcome'], string> = {
  pending: 'waiting for what becomes of it',
  accepted: 'taken as it stood',
  corrected: 'changed, or not taken',
  thumb_up: 'thumbs up',
  thumb_down: 'thumbs down',
  no_score: 'no score',
  side: 'side turn, not learnt from',
};

/** What an agent asked for on its own account. */
export const TAKEN_FOR: Record<Exclude<PanelTurn['takenFor'], 'main'>, string> = {
  side: 'a side request, as its agent says',
  evaluation: 'a check of what was learnt',
  title: 'a title for a conversation',
  summary: 'a summary of a conversation',
  topic: 'a check of what is talked about',
  probe: 'a check whether anybody answers',
  helper: 'a small question of the agent itself',
};

/** The state of a turn's sample, said of the turn. */
export const SAMPLE_STATES: Record<PanelTurn['sampleState'], string> = {
  none: 'nothing to train on',
  ready: 'waits for the next batch',
  batched: 'being trained on',
  trained: 'trained on',
  held: 'kept, not trained on',
};

const DECIDERS: Record<string, string> = {
  'evidence:thumb': 'your thumb',
  'evidence:commit': 'your commit',
  'evidence:user_edit': 'your edit',
  'evidence:user_reply': 'your reply',
  'evidence:patch_review': 'your review',
  'evidence:git': 'git',
  'evidence:test_run': 'the tests',
  'evidence:diagnostics': 'the language server',
  'evidence:tool_result': 'the result of a tool',
  'evidence:terminal': 'a command',
  'evidence:task': 'a task',
  votes: 'the judge',
};

/** Who settled a score; what is not known by name is shown as it is. */
export function decider(decidedBy: string): string {
  return DECIDERS[decidedBy] ?? decidedBy;
}

/** The last folder of a path; the whole path stands in the tooltip. */
export function folderName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

/** What stands in the field that an event came from. */
export function chosenIn({ target }: Event): string {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement ? target.value : '';
}
