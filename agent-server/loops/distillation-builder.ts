/**
 * The rows of a distillation batch: the version answers each request anew, without lessons; the teacher reads the
 * answer with them in its prompt; union support (learning/hybrid.ts), and anchors. Which requests is distillation.ts.
 */
import type { Engine } from '../engine/engine.ts';
import { wholeAnswer } from '../engine/whole-answer.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { LessonBook } from '../hindsight/lesson-book.ts';
import type { LearningConfig } from '../learning/config.ts';
import { degenerateReason } from '../learning/degenerate.ts';
import { seededRandom, seedOf } from '../learning/random.ts';
import type { TrainRow } from '../learning/rows.ts';
import { listLength, rowsOfSample } from '../learning/sample-rows.ts';
import { ALL_USABLE } from '../learning/terms.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { BASE_VERSION, loraPath, type TurnId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Turn } from '../store/types.ts';
import type { Batch } from '../store/version-types.ts';
import type { LabelledRow } from './anchor-rows.ts';
import { MAX_ANSWER_TOKENS } from './distillation.ts';
import { filledBatch } from './filled-batch.ts';
import type { BuildsBatch } from './train-steps.ts';

export interface DistillationBuilderParts {
  store: Pick<Store, 'turn' | 'batchTurns' | 'anchors'>;
  engine: Pick<Engine, 'generate' | 'score'>;
  prompts: PromptSource;
  lessons: Pick<LessonBook, 'teach'>;
  config: LearningConfig;
}

/** As much as turns explore; what the student would never say needs no correction. */
const TEMPERATURE = 0.7;

export function distillationBuilder(parts: DistillationBuilderParts): BuildsBatch {
  const { store, prompts, config } = parts;
  return {
    build: async (batch, signal) => {
      const prompt = await prompts.get(signal);
      const members = store.batchTurns(batch.batchId);
      const among = new Set(members.filter(({ role }) => role === 'lesson').map(({ turnId }) => turnId));
      const rows: LabelledRow[] = [];
      for (const { turnId, role } of members) {
        const turn = role === 'request' ? store.turn(turnId) : undefined;
        if (turn === undefined) continue;
        for (const row of await distilled(parts, batch, turn, among, prompt, signal))
          rows.push({ row, label: { sampleId: null, role: 'response', origin: 'new' } });
      }
      if (rows.length === 0)
        throw new ApprenticeError(
          'batch_invalid',
          `No request of batch ${batch.batchId} has an answer to distil the lessons on.`,
          'The lessons stay in the prompt.',
        );
      return filledBatch(batch, rows, store.anchors(), config);
    },
  };
}

/** None where the lessons are gone, the context is full or the answer is degenerate. */
async function distilled(
  { engine, lessons, config }: DistillationBuilderParts,
  batch: Batch,
  { turnId, messages, subject, tools }: Turn,
  among: ReadonlySet<TurnId>,
  prompt: ChatPrompt,
  signal: AbortSignal,
): Promise<TrainRow[]> {
  const taught = lessons.teach({ turnId, messages, tools, subject, prompt }, among);
  if (taught.lessonIds.length === 0) return [];
  const promptIds = prompt.ids(messages, tools);
  const taughtIds = prompt.ids(taught.messages, tools);
  // The seed is the batch's and the request's, so that a batch built again holds the same answers.
  const seed = seedOf(`${batch.batchId}/${turnId}`);
  const sampling_params = {
    temperature: TEMPERATURE,
    max_new_tokens: MAX_ANSWER_TOKENS,
    sampling_seed: seed,
  };
  const request = { input_ids: promptIds, sampling_params, lora_path: loraPath(batch.parent) };
  const answer = await wholeAnswer(engine, request, signal);
  if (taughtIds.length + answer.responseIds.length > prompt.tokenizer.contextLength) return [];
  if (degenerateReason(answer) !== null) return [];
  const { responseIds } = answer;
  const topLogprobs = listLength(config.topK);
  const teacher = config.teacher === 'base' ? BASE_VERSION : batch.parent;
  const sample = {
    score: null,
    hint: { kind: 'words' as const },
    promptIds,
    responseIds,
    // Generated and scored by the same version at the same time: there is nothing to weigh.
    behaviourLogprobs: responseIds.map(() => Number.NaN),
    student: await engine.score({ promptIds, responseIds, version: batch.parent, topLogprobs }, signal),
    teacher: await engine.score({ promptIds: taughtIds, responseIds, version: teacher, topLogprobs }, signal),
    rewriteIds: null,
    without: ALL_USABLE,
  };
  const settings = { ...config, method: 'hybrid-union' as const };
  return rowsOfSample(settings, sample, seededRandom(seed));
}
