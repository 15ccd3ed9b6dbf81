/**
 * "Is it better for me?": the arms of the learning bench on the user's own stored turns, split by time. The version
 * that served at the split is still on disk, so nothing is trained: base, lessons, adapter and both are compared
 * on turns that came after all that they had learnt. Where to split is time-split.ts.
 *
 * An accepted answer was worded by a later version, which flatters the arms that are near to it; the figures of
 * corrected turns stand apart for that reason.
 */
import type { Engine } from '../engine/engine.ts';
import type { Lease, Serving } from '../engine/serving.ts';
import { wholeAnswer } from '../engine/whole-answer.ts';
import { chrf } from '../evidence/chrf.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import { audienceOf } from '../hindsight/lesson-book.ts';
import { fitLessons, withLessons } from '../hindsight/lesson-prompt.ts';
import { LessonIndex } from '../hindsight/lesson-search.ts';
import type { LessonsConfig } from '../hindsight/lessons-config.ts';
import { destroyText } from '../learning/control.ts';
import { seededRandom, seedOf } from '../learning/random.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import { loraPath } from '../protocol/ids.ts';
import type {
  ArmResult,
  Comparisons,
  EvaluationArm,
  EvaluationReport,
  EvaluationRequest,
} from '../protocol/promotion.ts';
import type { Lesson } from '../store/lesson-types.ts';
import type { Store } from '../store/store.ts';
import type { StoredOwnText } from '../store/version-types.ts';
import { bootstrapMean } from './bootstrap.ts';
import { type Arm, type ComparedStore, compared, planned, tooFew, turnsOf } from './compared.ts';
import { ownTextIds } from './own-text.ts';
import { standBack } from './stand-back.ts';

export interface BetterForMeParts {
  store: ComparedStore & Pick<Store, 'promotions' | 'addComparison' | 'comparisons'>;
  engine: Pick<Engine, 'score' | 'generate'>;
  serving: Serving;
  prompts: PromptSource;
  lessons: LessonsConfig;
  /** Does somebody wait for an answer? The comparison stands back while it is so. */
  busy: () => boolean;
  nowMs: () => number;
}

const CONFIDENCE = 0.9;
const MAX_ANSWER_TOKENS = 256;
/** Earlier comparisons that are listed. */
const MAX_LISTED = 10;

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

  /** What was found before, and what a comparison would measure now. Reads only. */
  comparisons(request: EvaluationRequest): Comparisons {
    const { store, serving } = this.#parts;
    const kept = store.comparisons(MAX_LISTED);
    try {
      return { plan: planned(store, serving.version, request), kept };
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      if (error.code !== 'invalid_request') throw error;
      return { plan: { kind: 'too_few', ...tooFew(store) }, kept };
    }
  }

  /**
   * Takes a minute or more; one at a time. `onProgress` hears of every turn of every arm. The report is kept. Throws
   * `queue_full` while another runs, `invalid_request` with too few turns, `aborted`, and what the engine throws.
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
      const report = await this.#evaluate(request, onProgress, signal);
      this.#parts.store.addComparison(report, this.#parts.nowMs());
      return report;
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
    const all = compared(store, serving.version, request);
    const { tests, arms, lessons } = all;
    const prompt = await prompts.get(signal);
    const promptsWith = {
      with: lessonPrompts(lessons, prompt, this.#parts.lessons),
      shuffled: lessonPrompts(lessons.map(shuffler(prompt)), prompt, this.#parts.lessons),
    };
    const total = arms.reduce((sum, arm) => sum + turnsOf(all, arm).length, 0);
    let done = 0;
    const measured = new Map<EvaluationArm, Measured[]>();
    for (const arm of arms) {
      const lease = await serving.acquire(signal, arm.version);
      try {
        const results: Measured[] = [];
        for (const [index, own] of turnsOf(all, arm).entries()) {
          const ids = ownTextIds(own, prompt);
          const promptIds = arm.lessons === 'without' ? ids.promptIds : promptsWith[arm.lessons](own);
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
      splitAt: new Date(all.splitMs).toISOString(),
      version: all.version,
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
    const { engine, busy } = this.#parts;
    await standBack(busy, signal);
    const scored = await engine.score({ promptIds, responseIds: textIds, version, topLogprobs: 0 }, signal);
    const logprob = mean(scored.logprobs);
    if (depth === 'score') return { own, logprob, chrf: null };
    await standBack(busy, signal);
    const max_new_tokens = Math.min(MAX_ANSWER_TOKENS, 2 * textIds.length + 16);
    const { text } = await wholeAnswer(
      engine,
      {
        input_ids: promptIds,
        sampling_params: { max_new_tokens, temperature: 0 },
        lora_path: loraPath(version),
      },
      signal,
    );
    return { own, logprob, chrf: chrf(text, own.text) };
  }
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

/** A lesson that stands where it did, before the same requests, and has nothing left to say. */
function shuffler({ tokenizer }: Pick<ChatPrompt, 'tokenizer'>): (lesson: Lesson) => Lesson {
  return (lesson) => {
    const random = seededRandom(seedOf(`control ${lesson.lessonId}`));
    const shuffled = (text: string): string => {
      const tokens = tokenizer.encodePlain(text).map((id) => tokenizer.tokenText(id));
      return destroyText(text, tokens, random);
    };
    return {
      ...lesson,
      rewrite: shuffled(lesson.rewrite),
      hint: lesson.hint === null ? null : shuffled(lesson.hint),
    };
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
  const interval = bootstrapMean(answered, CONFIDENCE, seedOf(`chrf ${arm.name}`));
  return {
    arm: arm.name,
    version: arm.version,
    turns: results.length,
    logprob: mean(results.map(({ logprob }) => logprob)),
    correctedLogprob: corrected.length > 0 ? mean(corrected.map(({ logprob }) => logprob)) : null,
    versusBase: arm.name === 'base' ? null : bootstrapMean(differences, CONFIDENCE, seedOf(arm.name)),
    chrf: interval === null ? null : interval.mean,
    chrfInterval: interval === null ? null : { low: interval.low, high: interval.high },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
