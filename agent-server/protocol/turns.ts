/** The panel's list of turns, a page at a time, and one turn with all that is known of it. */
import { z } from 'zod';
import { TakenFor } from './gateway.ts';
import { BatchId, TurnId, WeightVersion } from './ids.ts';
import { PanelTurn, TurnOutcome } from './panel.ts';

export const MAX_PAGE_TURNS = 100;

/** Which turns are listed; null: any. */
export const TurnFilter = z.object({
  /** Stands in the answer, in what the user wrote instead or said, or in the repository's path. '' finds all. */
  text: z.string().max(200).default(''),
  outcome: TurnOutcome.nullable().default(null),
  subject: z.enum(['commit_message', 'inline_edit', 'chat']).nullable().default(null),
  version: WeightVersion.nullable().default(null),
  takenFor: TakenFor.nullable().default(null),
  /** Asked at or after `from`, and before `to`. */
  from: z.iso.datetime({ offset: true }).nullable().default(null),
  to: z.iso.datetime({ offset: true }).nullable().default(null),
});
export type TurnFilter = z.infer<typeof TurnFilter>;

/** Newest first. `before` is the `next` of the page above, null for the first page. */
export const TurnQuery = z.object({
  filter: TurnFilter.prefault({}),
  before: z.number().int().min(0).nullable().default(null),
  limit: z.number().int().min(1).max(MAX_PAGE_TURNS).default(50),
});
export type TurnQuery = z.infer<typeof TurnQuery>;

/** Long texts are cut: the whole ones are in `TurnDetail`. */
export const TurnPage = z.object({
  turns: z.array(PanelTurn),
  /** Where the next page begins; null: there are no older turns. A page may be short and still have a next one. */
  next: z.number().int().nullable(),
  /** Turns that were looked at for this page: a request looks at a bounded number of them. */
  searched: z.number().int(),
  /** Turns in all, whatever the filter. */
  total: z.number().int(),
});
export type TurnPage = z.infer<typeof TurnPage>;

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable();

/** What one training step was told of one token. Advantages are of the loss, natural units. */
export const TokenAdvantage = z.object({
  text: z.string(),
  /** Sum of the advantages of this very token; null: the step said nothing of it. */
  advantage: z.number().nullable(),
  /** Weight of -log pi of this token, for a demonstration; 0 else. */
  weight: z.number(),
  /** The other token that was pushed up the most, or down the least, at this position. */
  alternative: z.object({ text: z.string(), advantage: z.number() }).nullable(),
});
export type TokenAdvantage = z.infer<typeof TokenAdvantage>;

/** response: the turn's own answer. demonstration: what the user wrote instead. */
export const AdvantageRow = z.object({
  role: z.enum(['response', 'demonstration']),
  batchId: BatchId,
  tokens: z.array(TokenAdvantage),
});
export type AdvantageRow = z.infer<typeof AdvantageRow>;

export const TurnDetail = z.object({
  turn: PanelTurn,
  client: z.string().nullable(),
  /** The last thing that was asked, cut in the middle. */
  request: z.string(),
  finishReason: z.string(),
  responseTokens: z.number().int(),
  /** Lessons that stood in the prompt. */
  lessons: z.number().int(),
  nextStates: z.array(z.object({ kind: z.string(), observedAt: z.iso.datetime(), text: z.string() })),
  evidence: z.array(
    z.object({ source: z.string(), score: Score, rank: z.number().int(), detail: z.string() }),
  ),
  votes: z.array(
    z.object({
      score: Score,
      judge: z.string(),
      model: z.string(),
      raw: z.string(),
      latencyMs: z.number(),
      /** A next state came after it: it does not count. */
      outdated: z.boolean(),
    }),
  ),
  /** Best first. */
  hints: z.array(z.object({ kind: z.enum(['rewrite', 'words']), source: z.string(), text: z.string() })),
  batch: z
    .object({ batchId: BatchId, version: WeightVersion, state: z.string(), error: z.string().nullable() })
    .nullable(),
  advantages: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('known'), rows: z.array(AdvantageRow).min(1) }),
    z.object({ kind: z.literal('unknown'), why: z.string() }),
  ]),
});
export type TurnDetail = z.infer<typeof TurnDetail>;

export const TurnRequest = z.object({ turnId: TurnId });
