/**
 * The lessons that stand in the prompt of a request: chosen once for a session and then kept, so that each turn's
 * prompt extends the one before it, until a correction in the session itself adds one; within the budget, and never at the cost of the room for the answer. Search is
 * lesson-search.ts, the place in the prompt lesson-prompt.ts.
 */
import type { PlainMessage, TakenFor, ToolDefinition } from '../protocol/gateway.ts';
import type { LessonId, SessionId, TurnId } from '../protocol/ids.ts';
import { repositoryOf, type TurnSubject } from '../protocol/observations.ts';
import type { Lesson } from '../store/lesson-types.ts';
import { MAX_SEARCHED_LESSONS, systemOpening } from '../store/lessons.ts';
import type { Store } from '../store/store.ts';
import { type Exchange, fewer, fitLessons, withLessons } from './lesson-prompt.ts';
import { type Audience, LessonIndex } from './lesson-search.ts';
import type { LessonsConfig } from './lessons-config.ts';

/** One model's chat template and tokenizer, as far as lessons need them. */
export interface PromptRenderer {
  ids(messages: readonly PlainMessage[], tools: readonly ToolDefinition[]): number[];
  readonly tokenizer: { readonly contextLength: number; countTokens(text: string): number };
}

export interface LessonRequest {
  messages: readonly PlainMessage[];
  tools: readonly ToolDefinition[];
  subject: TurnSubject;
  prompt: PromptRenderer;
}

export interface LessonPrompt {
  messages: readonly PlainMessage[];
  lessonIds: readonly LessonId[];
}

/** What stays free for the answer: more than most answers need, a quarter of a small context at most. */
const ANSWER_ROOM_TOKENS = 1_024;
const ANSWER_ROOM_SHARE = 0.25;

const WITH_LESSONS: ReadonlySet<TakenFor> = new Set(['main', 'evaluation']);

export class LessonBook {
  readonly #store: Pick<
    Store,
    'activeLessons' | 'lesson' | 'lessonsOfSession' | 'lessonsMadeIn' | 'onChange'
  >;
  readonly #config: LessonsConfig;
  readonly #unsubscribe: () => void;
  /** Made anew at the first request after lessons changed. */
  #index: LessonIndex | undefined;

  constructor(
    store: Pick<Store, 'activeLessons' | 'lesson' | 'lessonsOfSession' | 'lessonsMadeIn' | 'onChange'>,
    config: LessonsConfig,
  ) {
    this.#store = store;
    this.#config = config;
    this.#unsubscribe = store.onChange((what) => {
      if (what === 'lessons') this.#index = undefined;
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  /** The prompt of a turn. Side turns get no lessons; nor does a request that leaves no room for them. */
  prepare(request: LessonRequest & { sessionId: SessionId; takenFor: TakenFor }): LessonPrompt {
    if (!this.#config.enabled || !WITH_LESSONS.has(request.takenFor)) return without(request);
    const kept = this.#ofSession(request.sessionId);
    return this.#assemble(request, kept.length > 0 ? kept : this.#search(request));
  }

  /**
   * The same for a teacher who answers an earlier turn: with the lessons of other turns. `among`: with those that
   * came from these turns.
   */
  teach(request: LessonRequest & { turnId: TurnId }, among?: ReadonlySet<TurnId>): LessonPrompt {
    // One more is asked for, as the turn's own may be among them.
    const lessons = this.#search(request, this.#config.max + 1).filter(
      ({ turnId }) => turnId !== request.turnId && (among?.has(turnId) ?? true),
    );
    return this.#assemble(request, lessons);
  }

  /**
   * What the session's latest turn was given, less what the user has taken out since. What they corrected in this
   * very session goes before it: it acts at once, at the price of reading the conversation anew, once.
   */
  #ofSession(sessionId: SessionId): Lesson[] {
    const ids = this.#store.lessonsOfSession(sessionId);
    if (ids.length === 0) return [];
    const made = this.#store.lessonsMadeIn(sessionId, this.#config.max).filter((id) => !ids.includes(id));
    return [...made, ...ids].flatMap((lessonId) => {
      const lesson = this.#store.lesson(lessonId);
      return lesson === undefined || lesson.state === 'off' ? [] : [lesson];
    });
  }

  #search({ messages, subject }: LessonRequest, limit: number = this.#config.max): Lesson[] {
    const request = messages.findLast(({ role }) => role === 'user')?.content;
    if (request === undefined) return [];
    this.#index ??= new LessonIndex(this.#store.activeLessons(MAX_SEARCHED_LESSONS));
    return this.#index.best(audienceOf(subject, messages), request, limit);
  }

  #assemble(request: LessonRequest, lessons: readonly Lesson[]): LessonPrompt {
    if (lessons.length === 0) return without(request);
    const { messages, tools, prompt } = request;
    let exchanges = fitLessons(lessons, this.#config, prompt.tokenizer.countTokens);
    while (exchanges.length > 0 && !hasRoom(withLessons(messages, exchanges), tools, prompt))
      exchanges = fewer(exchanges);
    return exchanges.length === 0 ? without(request) : assembled(messages, exchanges);
  }
}

/** Whose request it is. */
export function audienceOf(subject: TurnSubject, messages: readonly PlainMessage[]): Audience {
  return {
    kind: subject.kind,
    workspace: repositoryOf(subject),
    systemOpening: systemOpening(messages),
  };
}

function without({ messages }: LessonRequest): LessonPrompt {
  return { messages, lessonIds: [] };
}

function assembled(messages: readonly PlainMessage[], exchanges: readonly Exchange[]): LessonPrompt {
  return {
    messages: withLessons(messages, exchanges),
    lessonIds: exchanges.map(({ lessonId }) => lessonId),
  };
}

function hasRoom(
  messages: readonly PlainMessage[],
  tools: readonly ToolDefinition[],
  prompt: PromptRenderer,
): boolean {
  const { contextLength } = prompt.tokenizer;
  const room = contextLength - Math.min(ANSWER_ROOM_TOKENS, Math.floor(contextLength * ANSWER_ROOM_SHARE));
  // No text has more tokens than bytes; most requests are far from the limit and need no second tokenising.
  const most = [...messages, ...tools].reduce(
    (sum, part) => sum + Buffer.byteLength(JSON.stringify(part)),
    0,
  );
  return most <= room || prompt.ids(messages, tools).length <= room;
}
