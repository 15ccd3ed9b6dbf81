/** Between JavaScript values and SQLite columns: blobs of numbers, JSON text, and rows parsed into branded ids. */
import { z } from 'zod';
import { AnswerMessage, PlainMessage, TakenFor, ToolDefinition } from '../protocol/gateway.ts';
import {
  BatchId,
  LessonId,
  ObservationId,
  SampleId,
  SessionId,
  TurnId,
  WeightVersion,
} from '../protocol/ids.ts';
import { NextStateKind, Observation, TurnSubject } from '../protocol/observations.ts';
import type * as T from './types.ts';

/** Token ids as little-endian int32, 4 bytes each (every platform Node runs on is little-endian). */
export function idsToBlob(ids: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(ids).buffer);
}

/** Log-probabilities as float64, 8 bytes each; NaN survives. */
export function logprobsToBlob(logprobs: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(logprobs).buffer);
}

export const Ids = z
  .instanceof(Uint8Array)
  .transform((blob) => Array.from(new Int32Array(blob.slice().buffer)));
const Logprobs = z
  .instanceof(Uint8Array)
  .transform((blob) => Array.from(new Float64Array(blob.slice().buffer)));

/** A TEXT column that holds JSON of the given shape. */
export function json<S extends z.ZodType>(shape: S) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch (error) {
        context.addIssue(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
        return z.NEVER;
      }
    })
    .pipe(shape);
}

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]);
const Messages = z.array(PlainMessage);
/** Of a turn or a lesson. */
export const SubjectKind = z.enum(TurnSubject.options.map(({ shape }) => shape.kind.value));

const HintKind = z.enum(['rewrite', 'words']);

export const TurnRow = z
  .object({
    turn_id: TurnId,
    session_id: SessionId,
    kind: z.enum(['main', 'side']),
    learnable: z.number(),
    state: z.enum(['running', 'open', 'settled', 'failed']),
    created_at_ms: z.number(),
    finished_at_ms: z.number().nullable(),
    messages: json(Messages),
    prompt_ids: Ids,
    version: WeightVersion,
    subject: json(TurnSubject),
    response_ids: Ids.nullable(),
    behaviour_logprobs: Logprobs.nullable(),
    text: z.string().nullable(),
    finish_reason: z.enum(['stop', 'length', 'abort']).nullable(),
    answered_by: WeightVersion.nullable(),
    closed_reason: z.enum(['cleared', 'overwritten', 'expired', 'retried']).nullable(),
    side_reason: TakenFor.nullable(),
    parent_turn_id: TurnId.nullable(),
    tools: json(z.array(ToolDefinition)).nullable(),
    answer: json(AnswerMessage).nullable(),
    lesson_ids: json(z.array(LessonId)),
  })
  .transform(
    (row): T.Turn => ({
      turnId: row.turn_id,
      sessionId: row.session_id,
      kind: row.kind,
      learnable: row.learnable === 1,
      createdAtMs: row.created_at_ms,
      messages: row.messages,
      promptIds: row.prompt_ids,
      version: row.version,
      subject: row.subject,
      state: row.state,
      closed: row.closed_reason,
      takenFor: row.side_reason ?? row.kind,
      parentTurnId: row.parent_turn_id,
      tools: row.tools ?? [],
      answer: row.answer,
      lessonIds: row.lesson_ids,
      response:
        row.response_ids !== null &&
        row.behaviour_logprobs !== null &&
        row.text !== null &&
        row.finish_reason !== null &&
        row.answered_by !== null &&
        row.finished_at_ms !== null
          ? {
              responseIds: row.response_ids,
              behaviourLogprobs: row.behaviour_logprobs,
              text: row.text,
              finishReason: row.finish_reason,
              version: row.answered_by,
              finishedAtMs: row.finished_at_ms,
            }
          : null,
    }),
  );

export const ObservationRow = z
  .object({ observation_id: ObservationId, body: json(Observation), received_at_ms: z.number() })
  .transform(
    (row): T.StoredObservation => ({
      observationId: row.observation_id,
      observation: row.body,
      receivedAtMs: row.received_at_ms,
    }),
  );

export const NextStateRow = z
  .object({
    turn_id: TurnId,
    observation_id: ObservationId,
    kind: NextStateKind,
    observed_at_ms: z.number(),
    body: json(Observation),
  })
  .transform(
    (row): T.NextState => ({
      turnId: row.turn_id,
      observationId: row.observation_id,
      kind: row.kind,
      observedAtMs: row.observed_at_ms,
      observation: row.body,
    }),
  );

export const EvidenceRow = z
  .object({
    source: z.string(),
    observation_id: ObservationId.nullable(),
    score: Score.nullable(),
    rank: z.number(),
    detail: z.string(),
  })
  .transform(
    (row): T.Evidence => ({
      source: row.source,
      observationId: row.observation_id,
      score: row.score,
      rank: row.rank,
      detail: row.detail,
    }),
  );

export const HintRow = z.object({ kind: HintKind, text: z.string() });

export const HintCandidateRow = z.object({
  kind: HintKind,
  source: z.enum(['rewrite', 'review', 'test', 'compiler', 'tool', 'judge']),
  text: z.string(),
});

export const TeacherCheckRow = z
  .object({
    teacher: WeightVersion,
    hint_kind: HintKind,
    hint_source: HintCandidateRow.shape.source,
    hint_text: z.string(),
    verdict: z.enum(['better', 'worse', 'unknown']),
    detail: z.string(),
  })
  .transform(
    (row): T.TeacherCheck => ({
      teacher: row.teacher,
      hint: { kind: row.hint_kind, source: row.hint_source, text: row.hint_text },
      verdict: row.verdict,
      detail: row.detail,
    }),
  );

export const VoteRow = z
  .object({
    score: Score.nullable(),
    hints: json(z.array(z.string())),
    seen: z.number(),
    judge: z.string(),
    model: z.string(),
    prompt: z.string(),
    raw: z.string(),
    latency_ms: z.number(),
    prompt_tokens: z.number().nullable(),
    completion_tokens: z.number().nullable(),
    cost_usd: z.number().nullable(),
    created_at_ms: z.number(),
  })
  .transform(
    (row): T.Vote => ({
      score: row.score,
      hints: row.hints,
      seen: row.seen,
      judge: row.judge,
      model: row.model,
      prompt: row.prompt,
      raw: row.raw,
      latencyMs: row.latency_ms,
      promptTokens: row.prompt_tokens,
      completionTokens: row.completion_tokens,
      costUsd: row.cost_usd,
      createdAtMs: row.created_at_ms,
    }),
  );

export const VerdictRow = z.object({
  turn_id: TurnId,
  score: Score.nullable(),
  decided_by: z.string(),
  decided_at_ms: z.number(),
});

export const SampleRow = z
  .object({
    sample_id: SampleId,
    turn_id: TurnId,
    score: Score.nullable(),
    hint_kind: HintKind.nullable(),
    hint_text: z.string().nullable(),
    state: z.enum(['ready', 'batched', 'trained', 'held']),
    created_at_ms: z.number(),
    batch_id: BatchId.nullable(),
    note: z.string().nullable(),
  })
  .transform(
    (row): T.Sample => ({
      sampleId: row.sample_id,
      turnId: row.turn_id,
      score: row.score,
      hint: row.hint_kind === null ? null : { kind: row.hint_kind, text: row.hint_text ?? '' },
      state: row.state,
      createdAtMs: row.created_at_ms,
      batchId: row.batch_id,
      note: row.note,
    }),
  );
