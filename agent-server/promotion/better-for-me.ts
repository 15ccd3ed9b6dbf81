/**
 * "Is it better for me?": the arms of the learning bench on the user's own stored turns, split by time. The version
 * that served at the split is still on disk, so nothing is trained: base, lessons, adapter and both are compared
 * on turns that came after all that they had learnt. Where to split is time-split.ts.
 *
 * An accepted answer was worded by a later version, which flatters the arms that are near to it; the figures of
 * corrected turns stand apart for that reason.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../engine/engine.ts';
import type { Lease, Serving } from '../engine/serving.ts';
import { chrf } from '../evidence/chrf.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { audienceOf } from '../hindsight/lesson-book.ts';
import { fitLessons, withLessons } from '../hindsight/lesson-prompt.ts';
import { LessonIndex, MAX_SEARCHED_LESSONS } from '../hindsight/lesson-search.ts';
import type { LessonsConfig } from '../hindsight/lessons-config.ts';
import { seedOf } from '../learning/random.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, loraPath, type WeightVersion } from '../protocol/ids.ts';
import type { ArmResult, EvaluationArm, EvaluationReport, EvaluationRequest } from '../protocol/promotion.ts';
import type { Lesson } from '../store/lesson-types.ts';
import type { Store } from '../store/store.ts';
import type { StoredOwnText } from '../store/version-types.ts';
import { bootstrapMean } from './bootstrap.ts';
import { ownTextIds } from './own-text.ts';
import { splitTimeMs, versionAt } from './time-split.ts';

export interface BetterForMeParts {
  store: Pick<Store, 'ownTexts' | 'lineage' | 'version' | 'lessons'>;
  engine: Pick<Engine, 'score' | 'generate'>;
  serving: Serving;
  prompts: PromptSource;
  lessons: LessonsConfig;
  /** Does somebody wait for an answer? The comparison stands back while it is so. */
  busy: () => boolean;
}

/** The newest judged turns that are looked through. */
const MAX_TURNS = 512;
const CONFIDENCE = 0.9;
const MAX_ANSWER_TOKENS = 256;
const LOOK_AGAIN_MS = 50;
/** Longest time to stand back before a single call. */
const STAND_BACK_LIMIT_MS = 10 * 60_000;

interface Arm {
  name: EvaluationArm;
  version: WeightVersion;
  lessons: 'with' | 'without';
}

interface Measured {
  own: StoredOwnText;
  logprob: number;
  chrf: number | null;
}

export class BetterForMe {
  readonly #parts: BetterForMeParts;
  #running = false;

  constructor(parts: BetterForMeParts) {
    this.#parts = parts;
  }

  /**
   * Takes a minute or more; one at a time. `onProgress` hears of every turn of every arm. Throws `queue_full`
   * while another runs, `invalid_request` with too few turns, `aborted`, and what the engine throws.
   */
  async evaluate(
    request: EvaluationRequest,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<EvaluationReport> {
    if (this.#running)
      throw new ApprenticeError('queue_full', 'A comparison is running already.', 'Wait for its end.');
    this.#running = true;
    try {
      return await this.#evaluate(request, onProgress, signal);
    } finally {
      this.#running = false;
    }
  }

  async #evaluate(
    request: EvaluationRequest,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<EvaluationReport> {
    const { store, serving, prompts } = this.#parts;
    const beganMs = performance.now();
    const all = store.ownTexts(MAX_TURNS, { sinceMs: 0 });
    const wantedMs = request.splitAt === null ? null : Date.parse(request.splitAt);
    const splitMs = splitTimeMs(
      all.map(({ turn }) => turn),
      wantedMs,
    );
    const tests = all.filter(({ turn }) => turn.createdAtMs > splitMs).slice(0, request.turns);
    const lineage = store.lineage(serving.version);
    const version = versionAt(
      lineage.flatMap((one) => store.version(one) ?? []),
      splitMs,
    );
    const lessons = store
      .lessons(MAX_SEARCHED_LESSONS)
      .filter(({ createdAtMs, state }) => createdAtMs <= splitMs && state !== 'off');
    const fair = tests.filter(({ trainedBy }) => !trainedBy.some((by) => lineage.includes(by.version)));
    const arms = armsOf(version, serving.version, lessons.length, fair.length);
    const prompt = await prompts.get(signal);
    const withLessonsOf = lessonPrompts(lessons, prompt, this.#parts.lessons);
    const total = arms.reduce((sum, { name }) => sum + (name === 'serving' ? fair : tests).length, 0);
    let done = 0;
    const measured = new Map<EvaluationArm, Measured[]>();
    for (const arm of arms) {
      const lease = await serving.acquire(signal, arm.version);
      try {
        const results: Measured[] = [];
        for (const [index, own] of (arm.name === 'serving' ? fair : tests).entries()) {
          const ids = ownTextIds(own, prompt);
          const promptIds = arm.lessons === 'with' ? withLessonsOf(own) : ids.promptIds;
          const answer = index < request.answers ? 'answer' : 'score';
          results.push(await this.#measure(lease, own, { promptIds, textIds: ids.textIds }, answer, signal));
          onProgress(++done, total);
        }
        measured.set(arm.name, results);
      } finally {
        lease.release();
      }
    }
    return {
      splitAt: new Date(splitMs).toISOString(),
      version,
      lessons: lessons.length,
      corrected: tests.filter(({ kind }) => kind === 'corrected').length,
      accepted: tests.filter(({ kind }) => kind === 'accepted').length,
      answered: Math.min(request.answers, tests.length),
      arms: arms.map((arm) => armResult(arm, measured)),
      seconds: (performance.now() - beganMs) / 1000,
    };
  }

  async #measure(
    { version }: Lease,
    own: StoredOwnText,
    { promptIds, textIds }: { promptIds: number[]; textIds: number[] },
    depth: 'score' | 'answer',
    signal: AbortSignal,
  ): Promise<Measured> {
    const { engine } = this.#parts;
    await this.#standBack(signal);
    const scored = await engine.score({ promptIds, responseIds: textIds, version, topLogprobs: 0 }, signal);
    const logprob = mean(scored.logprobs);
    if (depth === 'score') return { own, logprob, chrf: null };
    await this.#standBack(signal);
    let text = '';
    const sampling_params = {
      max_new_tokens: Math.min(MAX_ANSWER_TOKENS, 2 * textIds.length + 16),
      temperature: 0,
    };
    for await (const answer of engine.generate(
      { input_ids: promptIds, sampling_params, lora_path: loraPath(version) },
      signal,
    ))
      text = answer.text;
    return { own, logprob, chrf: chrf(text, own.text) };
  }

  async #standBack(signal: AbortSignal): Promise<void> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(STAND_BACK_LIMIT_MS)]);
    while (this.#parts.busy()) {
      await delay(LOOK_AGAIN_MS, undefined, { signal: limited }).catch(() => {
        throw signal.aborted
          ? new ApprenticeError('aborted', 'The comparison was cancelled.', '')
          : new ApprenticeError('timeout', 'The engine was busy for ten minutes.', 'Compare again later.');
      });
    }
  }
}

/** Arms that would be another one under a second name are left out. */
function armsOf(version: WeightVersion, serving: WeightVersion, lessons: number, fair: number): Arm[] {
  const learnt = version !== BASE_VERSION;
  const later = serving !== version && fair > 0;
  return [
    { name: 'base', version: BASE_VERSION, lessons: 'without' },
    ...(lessons > 0 ? [{ name: 'lessons', version: BASE_VERSION, lessons: 'with' } as const] : []),
    ...(learnt ? [{ name: 'adapter', version, lessons: 'without' } as const] : []),
    ...(learnt && lessons > 0 ? [{ name: 'both', version, lessons: 'with' } as const] : []),
    ...(later ? [{ name: 'serving', version: serving, lessons: 'without' } as const] : []),
  ];
}

/** Prompt ids of a turn with those of `lessons` that would have stood in its prompt. */
function lessonPrompts(
  lessons: readonly Lesson[],
  prompt: ChatPrompt,
  config: LessonsConfig,
): (own: StoredOwnText) => number[] {
  const index = new LessonIndex(lessons);
  return ({ turn }) => {
    const { messages, subject, tools } = turn;
    const request = messages.findLast(({ role }) => role === 'user')?.content ?? '';
    const best = index.best(audienceOf(subject, messages), request, config.max);
    return prompt.ids(withLessons(messages, fitLessons(best, config, prompt.tokenizer.countTokens)), tools);
  };
}

function armResult(arm: Arm, measured: ReadonlyMap<EvaluationArm, readonly Measured[]>): ArmResult {
  const results = measured.get(arm.name) ?? [];
  const base = new Map(measured.get('base')?.map(({ own, logprob }) => [own, logprob]));
  const differences = results.flatMap(({ own, logprob }) => {
    const reference = base.get(own);
    return reference === undefined ? [] : [logprob - reference];
  });
  const corrected = results.filter(({ own }) => own.kind === 'corrected');
  const answered = results.flatMap((one) => one.chrf ?? []);
  return {
    arm: arm.name,
    version: arm.version,
    turns: results.length,
    logprob: mean(results.map(({ logprob }) => logprob)),
    correctedLogprob: corrected.length > 0 ? mean(corrected.map(({ logprob }) => logprob)) : null,
    versusBase: arm.name === 'base' ? null : bootstrapMean(differences, CONFIDENCE, seedOf(arm.name)),
    chrf: answered.length > 0 ? mean(answered) : null,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
