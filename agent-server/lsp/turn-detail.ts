/** Turns as the panel shows them: cut short in a list, and one with all that is known of it. */
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { nextStateText } from '../judge/next-state-text.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { TurnId } from '../protocol/ids.ts';
import type { PanelTurn } from '../protocol/panel.ts';
import type { AdvantageRow, TurnDetail, TurnPage } from '../protocol/turns.ts';
import type { Store } from '../store/store.ts';
import type { Sample, Turn } from '../store/types.ts';
import type { SampleAdvantages } from '../store/version-types.ts';

/** In a list, of each text. */
const LISTED_CHARS = 300;
/** In a detail, of what is shown beside the answer. */
const SHOWN_CHARS = 6_000;
const MAX_NEXT_STATES = 50;

export type TurnDetailStore = Pick<
  Store,
  | 'turn'
  | 'panelTurn'
  | 'nextStates'
  | 'verdict'
  | 'votes'
  | 'hintCandidates'
  | 'sampleOfTurn'
  | 'batch'
  | 'tokenAdvantages'
  | 'session'
>;

/** Names a token by its text, or null while the model's tokenizer is not to be had. */
export type TokenTexts = Pick<ChatPrompt['tokenizer'], 'tokenText'> | null;

/** A person waits for the page; the tokenizer is fetched once. */
const TOKENIZER_LIMIT_MS = 5_000;

/** Null while the model that it comes with is not `running`, or does not answer. Throws after `signal`. */
export async function tokenTexts(
  prompts: { get(signal: AbortSignal): Promise<Pick<ChatPrompt, 'tokenizer'>> },
  running: boolean,
  signal: AbortSignal,
): Promise<TokenTexts> {
  if (!running) return null;
  const limit = AbortSignal.timeout(TOKENIZER_LIMIT_MS);
  try {
    return (await prompts.get(AbortSignal.any([signal, limit]))).tokenizer;
  } catch (error) {
    if (limit.aborted && !signal.aborted) return null;
    throw error;
  }
}

export function listed(page: TurnPage): TurnPage {
  return { ...page, turns: page.turns.map(shortened) };
}

/** Its beginning, for a list. */
export function shortText(text: string): string {
  return text.slice(0, LISTED_CHARS);
}

export function shortened(turn: PanelTurn): PanelTurn {
  const cut = (text: string | null) => (text === null ? null : shortText(text));
  return {
    ...turn,
    proposal: shortText(turn.proposal),
    correction: cut(turn.correction),
    hint: cut(turn.hint),
  };
}

/** Throws `not_found` for a turn that is not there, or has no answer. */
export function turnDetail(store: TurnDetailStore, turnId: TurnId, tokens: TokenTexts): TurnDetail {
  const turn = store.turn(turnId);
  const panelTurn = store.panelTurn(turnId);
  if (turn?.response == null || panelTurn === undefined)
    throw new ApprenticeError('not_found', `There is no answered turn ${turnId}.`, 'It may be deleted.');
  const nextStates = store.nextStates(turnId);
  const sample = store.sampleOfTurn(turnId);
  const batch = sample?.batchId == null ? undefined : store.batch(sample.batchId);
  return {
    turn: panelTurn,
    client: store.session(turn.sessionId)?.client ?? null,
    request: withoutMiddle(lastRequest(turn)),
    finishReason: turn.response.finishReason,
    responseTokens: turn.response.responseIds.length,
    lessons: turn.lessonIds.length,
    nextStates: nextStates.slice(-MAX_NEXT_STATES).map(({ kind, observedAtMs, observation }) => ({
      kind,
      observedAt: new Date(observedAtMs).toISOString(),
      text: withoutMiddle(nextStateText(observation)),
    })),
    evidence: (store.verdict(turnId)?.evidence ?? []).map(({ source, score, rank, detail }) => ({
      source,
      score,
      rank,
      detail,
    })),
    votes: store.votes(turnId).map(({ score, judge, model, raw, latencyMs, seen }) => ({
      score,
      judge,
      model,
      raw: withoutMiddle(raw),
      latencyMs,
      outdated: seen !== nextStates.length,
    })),
    hints: store.hintCandidates(turnId),
    batch:
      batch === undefined
        ? null
        : { batchId: batch.batchId, version: batch.version, state: batch.state, error: batch.error },
    advantages: advantages(store, sample, tokens),
  };
}

function advantages(
  store: TurnDetailStore,
  sample: Sample | undefined,
  tokens: TokenTexts,
): TurnDetail['advantages'] {
  const unknown = (why: string) => ({ kind: 'unknown' as const, why });
  if (sample === undefined) return unknown('It made no sample, so no step was told anything of its tokens.');
  const kept = store.tokenAdvantages(sample.sampleId);
  if (kept.length === 0)
    return unknown(
      sample.state === 'trained'
        ? 'They are kept for the latest steps only, and this one was before.'
        : 'No batch was built of it yet.',
    );
  if (tokens === null) return unknown('The tokenizer comes with the model, which is not running, or busy.');
  return { kind: 'known', rows: kept.map((row) => named(row, tokens)) };
}

function named({ role, batchId, tokens }: SampleAdvantages, texts: NonNullable<TokenTexts>): AdvantageRow {
  return {
    role,
    batchId,
    tokens: tokens.map(({ id, advantage, weight, other }) => ({
      text: texts.tokenText(id),
      advantage,
      weight,
      alternative: other && { text: texts.tokenText(other.id), advantage: other.advantage },
    })),
  };
}

function lastRequest({ messages }: Turn): string {
  return messages.findLast(({ role }) => role === 'user' || role === 'tool')?.content ?? '';
}

/** Beginning and end count most: what was asked, and how it ended. */
function withoutMiddle(text: string): string {
  if (text.length <= SHOWN_CHARS) return text;
  const half = SHOWN_CHARS / 2;
  return `${text.slice(0, half)}\n… ${text.length - SHOWN_CHARS} characters left out …\n${text.slice(-half)}`.toWellFormed();
}
