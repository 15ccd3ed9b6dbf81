/**
 * What "is it better for me?" compares: the turns after the split, the version of then, the lessons of then, and the
 * arms; and how long that takes. Measuring is better-for-me.ts.
 */
import { BASE_VERSION, type WeightVersion } from '../protocol/ids.ts';
import type { EvaluationArm, EvaluationPlan, EvaluationRequest } from '../protocol/promotion.ts';
import type { Lesson } from '../store/lesson-types.ts';
import { MAX_SEARCHED_LESSONS } from '../store/lessons.ts';
import type { Store } from '../store/store.ts';
import type { StoredOwnText } from '../store/version-types.ts';
import { MIN_TEST_TURNS, splitTimeMs, versionAt } from './time-split.ts';

/** The newest judged turns that are looked through. */
const MAX_TURNS = 512;
/** The newest decisions among which one with figures is looked for. */
const MAX_DECISIONS = 20;
/** Roughly: for a text that is not tokenised yet. */
const CHARACTERS_PER_TOKEN = 4;

export interface Arm {
  name: EvaluationArm;
  version: WeightVersion;
  /** shuffled: with their information destroyed. */
  lessons: 'with' | 'without' | 'shuffled';
}

export interface Compared {
  splitMs: number;
  /** After the split, newest first. */
  tests: StoredOwnText[];
  /** Of these, what the version that serves now was not trained on. */
  fair: StoredOwnText[];
  /** The version that served at the split. */
  version: WeightVersion;
  /** Of then. */
  lessons: Lesson[];
  arms: Arm[];
}

export type ComparedStore = Pick<Store, 'ownTexts' | 'lineage' | 'version' | 'lessons'>;

/** Throws `invalid_request` with too few turns. */
export function compared(store: ComparedStore, serving: WeightVersion, request: EvaluationRequest): Compared {
  const all = store.ownTexts(MAX_TURNS, { sinceMs: 0 });
  const wantedMs = request.splitAt === null ? null : Date.parse(request.splitAt);
  const splitMs = splitTimeMs(
    all.map(({ turn }) => turn),
    wantedMs,
  );
  const tests = all.filter(({ turn }) => turn.createdAtMs > splitMs).slice(0, request.turns);
  const lineage = store.lineage(serving);
  const version = versionAt(
    lineage.flatMap((one) => store.version(one) ?? []),
    splitMs,
  );
  const lessons = store
    .lessons(MAX_SEARCHED_LESSONS)
    .filter(({ createdAtMs, state }) => createdAtMs <= splitMs && state !== 'off');
  const fair = tests.filter(({ trainedBy }) => !trainedBy.some((by) => lineage.includes(by.version)));
  const arms = armsOf(version, serving, lessons.length, fair.length);
  return { splitMs, tests, fair, version, lessons, arms };
}

/** How many judged turns there are, and how many it takes for a split that is chosen by itself. */
export function tooFew(store: Pick<ComparedStore, 'ownTexts'>): { judged: number; needed: number } {
  return { judged: store.ownTexts(MAX_TURNS, { sinceMs: 0 }).length, needed: 2 * MIN_TEST_TURNS };
}

/** The turns that an arm is measured on. */
export function turnsOf({ tests, fair }: Pick<Compared, 'tests' | 'fair'>, { name }: Arm): StoredOwnText[] {
  return name === 'serving' ? fair : tests;
}

/**
 * What a comparison would measure now. An answer takes what the answers to these turns took, reading the prompt
 * included; scoring one, what the gate's latest scoring took a token, or else, as a bound, what an answer took.
 * Throws as `compared` does.
 */
export function planned(
  store: ComparedStore & Pick<Store, 'promotions'>,
  serving: WeightVersion,
  request: EvaluationRequest,
): Extract<EvaluationPlan, { kind: 'ready' }> {
  const all = compared(store, serving, request);
  const { tests, arms } = all;
  const answer = median(
    tests
      .map(({ turn }) => ((turn.response?.finishedAtMs ?? 0) - turn.createdAtMs) / 1000)
      // The clock may have been put back in between.
      .filter((seconds) => seconds > 0),
  );
  const figures = store
    .promotions(MAX_DECISIONS)
    .flatMap((decision) => decision.figures ?? [])
    .find(({ scoredTokens }) => scoredTokens > 0);
  const tokens = median(
    tests.map(({ turn, text }) => turn.promptIds.length + text.length / CHARACTERS_PER_TOKEN),
  );
  const score =
    figures === undefined || tokens === null ? answer : (figures.seconds / figures.scoredTokens) * tokens;
  const answers = Math.min(request.answers, tests.length);
  const seconds = arms.map((arm) => {
    const turns = turnsOf(all, arm).length;
    return turns * (score ?? 0) + Math.min(answers, turns) * (answer ?? 0);
  });
  return {
    kind: 'ready',
    arms: arms.map(({ name }) => name),
    turns: tests.length,
    answers,
    seconds: score === null || answer === null ? null : seconds.reduce((sum, one) => sum + one, 0),
  };
}

/** Arms that would be another one under a second name are left out. */
function armsOf(version: WeightVersion, serving: WeightVersion, lessons: number, fair: number): Arm[] {
  const learnt = version !== BASE_VERSION;
  const later = serving !== version && fair > 0;
  return [
    { name: 'base', version: BASE_VERSION, lessons: 'without' },
    ...(lessons > 0
      ? ([
          { name: 'control', version: BASE_VERSION, lessons: 'shuffled' },
          { name: 'lessons', version: BASE_VERSION, lessons: 'with' },
        ] as const)
      : []),
    ...(learnt ? [{ name: 'adapter', version, lessons: 'without' } as const] : []),
    ...(learnt && lessons > 0 ? [{ name: 'both', version, lessons: 'with' } as const] : []),
    ...(later ? [{ name: 'serving', version: serving, lessons: 'without' } as const] : []),
  ];
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
