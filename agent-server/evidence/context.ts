/**
 * What a reading may look back on, as plain data. Gathering it from the store is the judge loop's. What the
 * caller does not know stays empty: a reading then claims less, never something else.
 */
import type { ProposedEdit } from '../protocol/edits.ts';
import type { AnswerMessage } from '../protocol/gateway.ts';
import type { Observation } from '../protocol/observations.ts';

/** A call that an agent made; `arguments` is the JSON text as the model wrote it. */
export interface ObservedToolCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

export interface ObservationContext {
  /** The user's request that the turn worked on; of an agent's loop, the last message written by the user. */
  readonly request: string;
  /** Next states observed in the same session before this one, oldest first. */
  readonly before: readonly Observation[];
  /** Tool calls of the session, this turn's at the end, oldest first. */
  readonly toolCalls: readonly ObservedToolCall[];
  /** The turn's own answer, told apart; null: not known. */
  readonly answer: AnswerMessage | null;
  /** What the answer does to files, in its order. */
  readonly edits: readonly ProposedEdit[];
}

export const UNKNOWN_CONTEXT: ObservationContext = {
  request: '',
  before: [],
  toolCalls: [],
  answer: null,
  edits: [],
};
