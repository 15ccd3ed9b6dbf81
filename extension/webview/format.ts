/** Words and numbers for a person. Pure; the clock is an argument. */
import { type PanelTurn, type PanelVersion, SUBJECT_TITLES } from '../../agent-server/protocol/panel.ts';
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
      return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(
        -Math.floor(seconds / size),
        unit,
      );
    }
  }
  return t('just now');
}

export function percent(fraction: number): string {
  return new Intl.NumberFormat(locale, { style: 'percent' }).format(fraction);
}

/** With just so many places after the point. */
export function decimal(value: number, places: number): string {
  return value.toLocaleString(locale, { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** "+0.25"; the minus is the typographical one, as wide as the plus, and what rounds to nothing has none. */
export function signedDecimal(value: number, places = 2): string {
  return `${Number(value.toFixed(places)) < 0 ? '−' : '+'}${decimal(Math.abs(value), places)}`;
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
  return `${power === 0 || value >= 100 ? Math.round(value) : decimal(value, 1)} ${BYTE_UNITS[power] ?? 'B'}`;
}

/** Of two whole texts the one for this number: the nouns of other languages do not just take an s. */
export function counted(n: number, one: string, many: string): string {
  return n === 1 ? one : many;
}

/** "3 samples"; "lessons on 4 requests" for a version that lesson distillation made. */
export function learntFrom(version: Pick<PanelVersion, 'sampleCount' | 'requestCount'>): string {
  const { sampleCount, requestCount } = version;
  return requestCount > 0
    ? counted(requestCount, t('lessons on 1 request'), t('lessons on {0} requests', requestCount))
    : counted(sampleCount, t('1 sample'), t('{0} samples', sampleCount));
}

/** "v7" for `policy@v7`, "base" for the model without an adapter. */
export function shortVersion(version: string): string {
  return version === 'policy@v0' ? t('base') : version.replace('policy@', '');
}

export const OUTCOMES: Record<PanelTurn['outcome'], string> = {
  pending: t('waiting for what becomes of it'),
  accepted: t('taken as it stood'),
  corrected: t('changed, or not taken'),
  thumb_up: t('thumbs up'),
  thumb_down: t('thumbs down'),
  no_score: t('no score'),
  side: t('side turn, not learnt from'),
};

/** What an agent asked for on its own account. */
export const TAKEN_FOR: Record<Exclude<PanelTurn['takenFor'], 'main'>, string> = {
  side: t('a side request, as its agent says'),
  evaluation: t('a check of what was learnt'),
  title: t('a title for a conversation'),
  summary: t('a summary of a conversation'),
  topic: t('a check of what is talked about'),
  probe: t('a check whether anybody answers'),
  helper: t('a small question of the agent itself'),
};

/** The state of a turn's sample, said of the turn. */
export const SAMPLE_STATES: Record<PanelTurn['sampleState'], string> = {
  none: t('nothing to train on'),
  ready: t('waits for the next batch'),
  batched: t('being trained on'),
  trained: t('trained on'),
  held: t('kept, not trained on'),
};

const DECIDERS: Record<string, string> = {
  'evidence:thumb': t('your thumb'),
  'evidence:commit': t('your commit'),
  'evidence:user_edit': t('your edit'),
  'evidence:user_reply': t('your reply'),
  'evidence:patch_review': t('your review'),
  'evidence:git': 'git',
  'evidence:test_run': t('the tests'),
  'evidence:diagnostics': t('the language server'),
  'evidence:tool_result': t('the result of a tool'),
  'evidence:terminal': t('a command'),
  'evidence:task': t('a task'),
  votes: t('the judge'),
};

/** What a turn was for; the agent-server says it in English. */
export function subjectTitle(subject: string): string {
  return SUBJECTS[subject] ?? subject;
}

const SUBJECTS: Record<string, string> = {
  [SUBJECT_TITLES.commit_message]: t('Commit message'),
  [SUBJECT_TITLES.inline_edit]: t('Inline edit'),
  [SUBJECT_TITLES.chat]: t('Chat'),
};

export const VERSION_STATES: Record<PanelVersion['state'], string> = {
  training: t('in training'),
  trained: t('trained'),
  serving: t('serving'),
  retired: t('retired'),
  failed: t('failed'),
};

/** Something that a version learnt from was taken back. */
export const TAINTED = {
  deleted: t('learnt from something deleted since'),
  excluded: t('learnt from something left out since'),
} as const;

const SOURCES: Record<string, string> = {
  user_reply: t('reply'),
  user_edit: t('edit'),
  commit: t('commit'),
  patch_review: t('review'),
  thumb: t('thumb'),
  terminal: t('terminal'),
  task: t('task'),
  test_run: t('test run'),
  diagnostics: t('diagnostics'),
  tool_result: t('result of a tool'),
  git: 'git',
  screen: t('screen'),
};

/** The kind of a next state, or of what was read of it; what is not known by name is shown as it is. */
export function sourceName(kind: string): string {
  return SOURCES[kind] ?? kind.replaceAll('_', ' ');
}

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
