/** What a replay showed, in numbers: conventions of the author shared, similarity, versions. Pure. */
import { chrf } from '../../evidence/chrf.ts';
import {
  type CommitStyle,
  conventionMatch,
  learnStyle,
  type StyleFeature,
} from '../../evidence/commit-style.ts';
import type { LearningConfig } from '../../learning/config.ts';
import type { Answer } from './gateway-client.ts';
import type { History, HistoryCommit } from './history.ts';
import type { TrainingRow } from './progress.ts';

export interface HeldOutRow {
  sha: string;
  real: string;
  before: string;
  after: string;
  control: string | null;
  /** Share of the author's conventions that each has. */
  share: { before: number; after: number; control: number | null };
}

/** Means over the held-out commits. */
export interface Means {
  convention: number;
  /** 0 to 100. */
  chrf: number;
  features: Partial<Record<StyleFeature, number>>;
}

export interface ReplayResult {
  repo: string;
  /** Commits that were learnt from. */
  commits: number;
  test: number;
  skipped: History['skipped'];
  /** The author's conventions, from the training commits alone. */
  style: CommitStyle;
  heldOut: {
    before: number;
    after: number;
    control: number | null;
    chrfBefore: number;
    chrfAfter: number;
    chrfControl: number | null;
    features: { feature: StyleFeature; before: number; after: number; control: number | null }[];
    rows: HeldOutRow[];
  };
  training: (TrainingRow & { share: number })[];
  versions: number;
  versionsControl: number | null;
  /** From the first question to the last answer of the learning arm; set-up and the control are not in it. */
  seconds: number;
  /** Tokens that a diff is cut to. */
  diffBudgetTokens: number;
  model: string;
  learning: LearningConfig;
  examples: { real: string; before: string; after: string; control: string | null }[];
}

export interface ResultInput {
  repo: string;
  skipped: History['skipped'];
  training: readonly TrainingRow[];
  heldOut: readonly HistoryCommit[];
  before: readonly Answer[];
  after: readonly Answer[];
  control: { answers: readonly Answer[]; versions: number } | null;
  versions: number;
  seconds: number;
  diffBudgetTokens: number;
  model: string;
  learning: LearningConfig;
}

const EXAMPLES = 6;

export function replayResult(input: ResultInput): ReplayResult {
  const style = learnStyle(input.training.map(({ real }) => real));
  const real = input.heldOut.map(({ message }) => message);
  const before = texts(input.before);
  const after = texts(input.after);
  const control = input.control === null ? null : texts(input.control.answers);
  const means = {
    before: meansOf(style, before, real),
    after: meansOf(style, after, real),
    control: control === null ? null : meansOf(style, control, real),
  };
  const share = (message: string): number => conventionMatch(style, message).share;
  const rows = input.heldOut.map((commit, index): HeldOutRow => {
    const [b, a, c] = [before[index] ?? '', after[index] ?? '', control?.[index] ?? null];
    return {
      sha: commit.sha,
      real: commit.message,
      before: b,
      after: a,
      control: c,
      share: { before: share(b), after: share(a), control: c === null ? null : share(c) },
    };
  });
  const features = Object.keys(means.before.features).filter(isFeature);
  return {
    repo: input.repo,
    commits: input.training.length,
    test: input.heldOut.length,
    skipped: input.skipped,
    style,
    heldOut: {
      before: means.before.convention,
      after: means.after.convention,
      control: means.control?.convention ?? null,
      chrfBefore: means.before.chrf,
      chrfAfter: means.after.chrf,
      chrfControl: means.control?.chrf ?? null,
      features: features.map((feature) => ({
        feature,
        before: means.before.features[feature] ?? 0,
        after: means.after.features[feature] ?? 0,
        control: means.control === null ? null : (means.control.features[feature] ?? 0),
      })),
      rows,
    },
    training: input.training.map((row) => ({ ...row, share: share(row.proposed) })),
    versions: input.versions,
    versionsControl: input.control?.versions ?? null,
    seconds: input.seconds,
    diffBudgetTokens: input.diffBudgetTokens,
    model: input.model,
    learning: input.learning,
    examples: spread(rows, EXAMPLES).map(({ real, before, after, control }) => ({
      real,
      before,
      after,
      control,
    })),
  };
}

/** `messages[i]` was proposed where the author wrote `real[i]`. */
function meansOf(style: CommitStyle, messages: readonly string[], real: readonly string[]): Means {
  const matches = messages.map((message) => conventionMatch(style, message));
  const features: Means['features'] = {};
  for (const match of matches) {
    for (const feature of Object.keys(match.features).filter(isFeature)) {
      features[feature] = (features[feature] ?? 0) + (match.features[feature] ? 1 : 0) / messages.length;
    }
  }
  return {
    convention: mean(matches.map(({ share }) => share)),
    chrf: mean(messages.map((message, index) => chrf(message, real[index] ?? ''))),
    features,
  };
}

const FEATURES = {
  typePrefix: true,
  scope: true,
  case: true,
  finalPeriod: true,
  body: true,
  length: true,
} satisfies Record<StyleFeature, true>;

function isFeature(key: string): key is StyleFeature {
  return key in FEATURES;
}

/** `count` of the rows at even distances, so that nobody picks the pretty ones. */
function spread<T>(rows: readonly T[], count: number): T[] {
  if (rows.length <= count) return [...rows];
  return Array.from({ length: count }, (_, index) => Math.floor((index * rows.length) / count)).flatMap(
    (at) => rows.slice(at, at + 1),
  );
}

function texts(answers: readonly Answer[]): string[] {
  return answers.map(({ text }) => text.trim());
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
