/**
 * Lesson distillation, the choice: earlier requests of the user on which lessons in the prompt bring about a better
 * answer than the weights give without. A request a task; when enough have passed, a batch is begun of them. Its
 * rows are distillation-builder.ts; when it runs, idle-work.ts.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import type { Serving } from '../engine/serving.ts';
import { type WholeAnswer, wholeAnswer } from '../engine/whole-answer.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { LessonBook } from '../hindsight/lesson-book.ts';
import { checkLessonTeacher } from '../hindsight/lesson-teacher.ts';
import type { LearningConfig } from '../learning/config.ts';
import type { Log } from '../log.ts';
import { BASE_VERSION, BatchId, loraPath, type TurnId, type WeightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Turn } from '../store/types.ts';
import type { IdleTask, IdleWork } from './train-items.ts';

export interface DistillationParts {
  store: Pick<
    Store,
    | 'serving'
    | 'nextVersion'
    | 'turn'
    | 'verdict'
    | 'lesson'
    | 'turnsToDistil'
    | 'latestDistillations'
    | 'beginBatch'
    | 'onChange'
  >;
  engine: Pick<Engine, 'generate'>;
  serving: Pick<Serving, 'acquire'>;
  prompts: PromptSource;
  lessons: Pick<LessonBook, 'teach'>;
  config: Pick<LearningConfig, 'distillation' | 'teacher'>;
  log: Log;
}

/** Requests that are tried by one version. */
const MAX_CANDIDATES = 16;
/** The bound on an answer: some 4 s of the default model on two cores. */
export const MAX_ANSWER_TOKENS = 128;
const HOUR_MS = 3_600_000;

export class Distillation implements IdleWork {
  readonly #parts: DistillationParts;
  readonly #unsubscribe: () => void;
  /** Of the version that serves and the lessons that there are; either changes the answer. */
  #by: WeightVersion | undefined;
  readonly #tried = new Set<TurnId>();
  readonly #passed: TurnId[] = [];
  #dueMs: number | undefined;

  constructor(parts: DistillationParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.store.onChange((what) => {
      if (what === 'lessons') this.#by = undefined;
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  nextDueMs(): number | undefined {
    return this.#dueMs;
  }

  next(nowMs: number): IdleTask | undefined {
    const { store, config } = this.#parts;
    const { enabled, requests, batchesPerHour } = config.distillation;
    this.#dueMs = undefined;
    if (!enabled) return undefined;
    const oldest = store.latestDistillations(batchesPerHour)[batchesPerHour - 1];
    if (oldest !== undefined && nowMs - oldest < HOUR_MS) {
      this.#dueMs = oldest + HOUR_MS;
      return undefined;
    }
    this.#follow(store.serving());
    const candidate =
      this.#passed.length < requests
        ? store.turnsToDistil(MAX_CANDIDATES).find(({ turnId }) => !this.#tried.has(turnId))
        : undefined;
    if (candidate) return this.#check(candidate);
    return this.#passed.length > 0 ? this.#begin() : undefined;
  }

  #follow(version: WeightVersion): void {
    if (version === this.#by) return;
    this.#by = version;
    this.#tried.clear();
    this.#passed.length = 0;
  }

  #check(turn: Turn): IdleTask {
    const { turnId } = turn;
    return {
      description: `whether lessons help turn ${turnId}`,
      run: async (_nowMs, signal) => {
        const version = this.#parts.store.serving();
        const helped = await this.#helps(turn, version, signal);
        if (this.#by !== version) return;
        this.#tried.add(turnId);
        if (helped) this.#passed.push(turnId);
      },
      giveUp: () => void this.#tried.add(turnId),
    };
  }

  async #helps(turn: Turn, version: WeightVersion, signal: AbortSignal): Promise<boolean> {
    const { store, serving, prompts, lessons, config, log } = this.#parts;
    const { messages, subject, turnId, tools } = turn;
    const prompt = await prompts.get(signal);
    const taught = lessons.teach({ messages, tools, subject, turnId, prompt });
    if (taught.lessonIds.length === 0) return false;
    const lease = await serving.acquire(signal, version);
    try {
      const student = await this.#answer(prompt.ids(messages, tools), version, signal);
      const teacherVersion = config.teacher === 'base' ? BASE_VERSION : version;
      const teacher = await this.#answer(prompt.ids(taught.messages, tools), teacherVersion, signal);
      const { verdict, detail } = checkLessonTeacher({
        request: messages.findLast(({ role }) => role === 'user')?.content ?? '',
        wanted: this.#wanted(turn),
        rewrites: taught.lessonIds.flatMap((id) => store.lesson(id)?.rewrite || []),
        student: student.text,
        teacher,
      });
      log.debug(`distillation: turn ${turnId}: ${detail}`);
      return verdict === 'better';
    } finally {
      lease.release();
    }
  }

  /** What the user wanted said, where they said it. */
  #wanted({ turnId, response }: Turn): string | null {
    const verdict = this.#parts.store.verdict(turnId);
    if (verdict?.hint?.kind === 'rewrite') return verdict.hint.text;
    return verdict?.score === 1 ? (response?.text ?? null) : null;
  }

  #answer(input_ids: number[], version: WeightVersion, signal: AbortSignal): Promise<WholeAnswer> {
    const sampling_params = { temperature: 0, max_new_tokens: MAX_ANSWER_TOKENS };
    const request = { input_ids, sampling_params, lora_path: loraPath(version) };
    return wholeAnswer(this.#parts.engine, request, signal);
  }

  #begin(): IdleTask {
    const { store, prompts, lessons } = this.#parts;
    const requests = [...this.#passed];
    return {
      description: `a distillation of lessons on ${requests.length} requests`,
      run: async (nowMs, signal) => {
        const prompt = await prompts.get(signal);
        const taught = requests.flatMap((turnId) => {
          const turn = store.turn(turnId);
          return turn ? lessons.teach({ ...turn, prompt }).lessonIds : [];
        });
        const sources = new Set(taught.flatMap((id) => store.lesson(id)?.turnId ?? []));
        this.#passed.length = 0;
        // Taken back, all of them, while the requests were tried.
        if (sources.size === 0) return;
        store.beginBatch({
          batchId: BatchId.parse(randomUUID()),
          version: store.nextVersion(),
          parent: store.serving(),
          kind: 'distillation',
          newSamples: [],
          replaySamples: [],
          turns: [
            ...requests.map((turnId) => ({ turnId, role: 'request' as const })),
            ...[...sources].map((turnId) => ({ turnId, role: 'lesson' as const })),
          ],
          createdAtMs: nowMs,
        });
      },
      giveUp: () => {
        this.#passed.length = 0;
      },
    };
  }
}
