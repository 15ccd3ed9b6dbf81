/** One turn as a line of `turns.jsonl`: what was asked, answered and seen, and what was made of it. Pure. */
import { z } from 'zod';
import { AnswerMessage, PlainMessage, TakenFor, ToolDefinition } from '../protocol/gateway.ts';
import { BatchId, LessonId, SessionId, TurnId, WeightVersion } from '../protocol/ids.ts';
import { Observation, TurnSubject } from '../protocol/observations.ts';
import { TurnOutcome } from '../protocol/panel.ts';
import type { Store } from '../store/store.ts';
import type { Turn } from '../store/types.ts';

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable();

/**
 * The documented fields. Times are ISO 8601, UTC. Left out: token ids, log-probabilities and hashes, which mean
 * something to this model only.
 */
export const TurnLine = z.object({
  /** Of these fields; another number when one changes its meaning. */
  format: z.literal(1),
  turnId: TurnId,
  sessionId: SessionId,
  /** The turn whose conversation this one goes on from. */
  parentTurnId: TurnId.nullable(),
  createdAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Main work, or what a request of the agent's own was taken for: never learnt from. */
  takenFor: TakenFor,
  /** Consent was given when it was made. */
  learnable: z.boolean(),
  /** What it acted on. */
  subject: TurnSubject,
  /** The client's own name for itself. */
  client: z.string().nullable(),
  /** The weights that answered. */
  version: WeightVersion,
  /** As they were sent, without the lessons that were put before them. */
  messages: z.array(PlainMessage),
  tools: z.array(ToolDefinition),
  lessonIds: z.array(LessonId),
  answer: AnswerMessage,
  finishReason: z.enum(['stop', 'length', 'abort']),
  promptTokens: z.number().int(),
  responseTokens: z.number().int(),
  outcome: TurnOutcome,
  score: Score,
  /** `evidence:<source>`, `votes`, or `none:<reason>`; null while it is open. */
  decidedBy: z.string().nullable(),
  evidence: z.array(z.object({ source: z.string(), score: Score, rank: z.number(), detail: z.string() })),
  votes: z.array(
    z.object({ score: Score, judge: z.string(), model: z.string(), raw: z.string(), latencyMs: z.number() }),
  ),
  /** Best first. */
  hints: z.array(z.object({ kind: z.enum(['rewrite', 'words']), source: z.string(), text: z.string() })),
  /** As they were observed. */
  nextStates: z.array(Observation),
  /** What training made of it. */
  sample: z
    .object({
      state: z.enum(['ready', 'batched', 'trained', 'held']),
      excluded: z.boolean(),
      batchId: BatchId.nullable(),
      learntBy: WeightVersion.nullable(),
    })
    .nullable(),
});
export type TurnLine = z.infer<typeof TurnLine>;

export type TurnLineStore = Pick<
  Store,
  'panelTurn' | 'session' | 'verdict' | 'votes' | 'hintCandidates' | 'nextStates'
>;

/** Null for a turn without an answer. */
export function turnLine(store: TurnLineStore, turn: Turn): z.input<typeof TurnLine> | null {
  const shown = store.panelTurn(turn.turnId);
  if (turn.response === null || shown === undefined) return null;
  const verdict = store.verdict(turn.turnId);
  const { response } = turn;
  return {
    format: 1,
    turnId: turn.turnId,
    sessionId: turn.sessionId,
    parentTurnId: turn.parentTurnId,
    createdAt: new Date(turn.createdAtMs).toISOString(),
    finishedAt: new Date(response.finishedAtMs).toISOString(),
    takenFor: turn.takenFor,
    learnable: turn.learnable,
    subject: turn.subject,
    client: store.session(turn.sessionId)?.client ?? null,
    version: response.version,
    messages: turn.messages,
    tools: [...turn.tools],
    lessonIds: [...turn.lessonIds],
    answer: turn.answer ?? { content: response.text, reasoning: '', toolCalls: [] },
    finishReason: response.finishReason,
    promptTokens: turn.promptIds.length,
    responseTokens: response.responseIds.length,
    outcome: shown.outcome,
    score: shown.score,
    decidedBy: shown.decidedBy,
    evidence: (verdict?.evidence ?? []).map(({ source, score, rank, detail }) => ({
      source,
      score,
      rank,
      detail,
    })),
    votes: store
      .votes(turn.turnId)
      .map(({ score, judge, model, raw, latencyMs }) => ({ score, judge, model, raw, latencyMs })),
    hints: store.hintCandidates(turn.turnId),
    nextStates: store.nextStates(turn.turnId).map(({ observation }) => observation),
    sample:
      shown.sampleState === 'none'
        ? null
        : {
            state: shown.sampleState,
            excluded: shown.excluded,
            batchId: shown.batchId,
            learntBy: shown.learntBy,
          },
  };
}
