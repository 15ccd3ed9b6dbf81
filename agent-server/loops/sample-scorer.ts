/**
 * One stored sample to its training rows: what learning/ says it needs is scored with the version that is trained
 * from, so that a sample that waited an hour is not stale. Which hint teaches is teacher-choice.ts; what an advantage
 * is, learning/.
 */
import type { Scored } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { plainTurn } from '../hindsight/plain-turn.ts';
import type { LearningConfig } from '../learning/config.ts';
import { degenerateReason } from '../learning/degenerate.ts';
import { seededRandom, seedOf } from '../learning/random.ts';
import type { TrainRow } from '../learning/rows.ts';
import { listLength, type Needs, needsOf, rowsOfSample } from '../learning/sample-rows.ts';
import type { Unusable } from '../learning/terms.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { SampleId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Batch } from '../store/version-types.ts';
import { type AnsweredSample, TeacherChoice, type TeacherChoiceParts } from './teacher-choice.ts';

export interface SampleScorerParts extends TeacherChoiceParts {
  store: TeacherChoiceParts['store'] & Pick<Store, 'sample' | 'turn'>;
  config: LearningConfig;
}

/** A commit message of more tokens is a document; beyond this it is learnt from its beginning, without an end token. */
const MAX_REWRITE_TOKENS = 512;

export interface SampleRows {
  rows: TrainRow[];
  /** Why the sample, or a part of it, trains nothing; for a person. */
  unused: string | null;
}

interface Scores {
  student: Scored | null;
  teacher: Scored | null;
}

export class SampleScorer {
  readonly #parts: SampleScorerParts;
  readonly #teachers: TeacherChoice;

  constructor(parts: SampleScorerParts) {
    this.#parts = parts;
    this.#teachers = new TeacherChoice(parts);
  }

  /**
   * The rows of a sample, none where nothing of it can be used: a degenerate answer has no term of its own, a
   * teacher that is no better than the student none of distillation. The batch's parent must be loaded. Throws
   * `batch_invalid` for a sample without an answered turn, and what the engine throws.
   */
  async rows(
    batch: Pick<Batch, 'batchId' | 'parent'>,
    sampleId: SampleId,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<SampleRows> {
    const { store, config } = this.#parts;
    const of = plainTurn(this.#stored(sampleId), prompt);
    const { sample, turn, response } = of;
    const without = new Set<Unusable>();
    const degenerate = degenerateReason(response);
    if (degenerate !== null) without.add('response');
    let needs = needsOf(config, sample, without);
    const scores = needs ? await this.#score(of, needs, batch.parent, prompt, signal) : NO_SCORES;
    if (needs?.teacher && scores.teacher === null) {
      without.add('teacher');
      needs = needsOf(config, sample, without);
    }
    const refused = without.has('teacher')
      ? (store.teacherCheck(sampleId)?.detail ?? 'No hint leaves room in the context.')
      : null;
    const unused = degenerate ?? refused;
    if (needs === null) return { rows: [], unused };
    const rewrite = needs.rewrite && sample.hint ? wantedIds(of, sample.hint.text, prompt) : null;
    const room = Math.min(MAX_REWRITE_TOKENS, prompt.tokenizer.contextLength - turn.promptIds.length);
    const parts = {
      score: sample.score,
      hint: sample.hint,
      promptIds: turn.promptIds,
      responseIds: response.responseIds,
      behaviourLogprobs: response.behaviourLogprobs,
      ...scores,
      rewriteIds: rewrite?.slice(0, Math.max(0, room)) ?? null,
      without,
    };
    return {
      rows: rowsOfSample(config, parts, seededRandom(seedOf(`${batch.batchId}/${sampleId}`))),
      unused,
    };
  }

  async #score(
    of: AnsweredSample,
    needs: Needs,
    parent: Batch['parent'],
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<Scores> {
    if (!needs.student) return NO_SCORES;
    const { config, engine } = this.#parts;
    // The choice among hints compares lists, also where the rows then need none.
    const topLogprobs = needs.teacher ? listLength(config.topK) : needs.topLogprobs;
    const request = { promptIds: of.turn.promptIds, responseIds: of.response.responseIds, version: parent };
    const student = await engine.score({ ...request, topLogprobs }, signal);
    const teacher = needs.teacher ? await this.#teachers.choose(of, student, parent, prompt, signal) : null;
    return { student, teacher };
  }

  #stored(sampleId: SampleId): AnsweredSample {
    const sample = this.#parts.store.sample(sampleId);
    const turn = sample && this.#parts.store.turn(sample.turnId);
    if (sample && turn?.response) return { sample, turn, response: turn.response };
    throw new ApprenticeError(
      'batch_invalid',
      `Sample ${sampleId} has no answered turn in the store.`,
      'The batch is given up.',
    );
  }
}

/** Ids of the text that the user wanted: the exact ones where it is the answer itself. */
function wantedIds({ sample, response }: AnsweredSample, text: string, prompt: ChatPrompt): number[] {
  return sample.score === 1 && text === response.text ? response.responseIds : prompt.responseIds(text);
}

const NO_SCORES: Scores = { student: null, teacher: null };
