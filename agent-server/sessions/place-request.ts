/**
 * Where a request stands: its session, the turn it goes on from, the turn it repeats. Pure: looking turns up by
 * hash, the clock and a fresh id are arguments.
 *
 * In this order:
 *  1. retry: the same dialogue was asked lately and nothing came of any answer to it (it runs, it failed, or it was
 *     left alone): the same place again, in the same session;
 *  2. its messages begin with an earlier turn's messages and answer: it goes on from that turn. If it went on
 *     from there before, or if answers that nobody gave follow, history was edited and the session forks;
 *  3. only its latest exchange is known: the client rewrote what stood before (files refreshed, history made
 *     shorter); the session goes on;
 *  4. its latest answer is what came of a turn that failed, because the user stopped it, say: the session goes on,
 *     and nothing is observed of that turn;
 *  5. none of these: a new session.
 * A session that the client names is never forked (its hashes meet no others). A side request (a title, a
 * summary) stands in the session that it is about and forks nothing.
 */
import type { TurnKind } from '../protocol/gateway.ts';
import type { SessionId, TurnId } from '../protocol/ids.ts';
import type { EarlierBy, EarlierTurn } from '../store/types.ts';
import type { HashedRequest } from './conversation-hash.ts';

/** How long after a turn the same request still repeats it. */
export const RETRY_WINDOW_MS = 10 * 60 * 1000;
/** How long after a turn its exchange alone still names it. */
export const EXCHANGE_WINDOW_MS = 24 * 60 * 60 * 1000;
/** Turns with one hash that are compared. */
export const MAX_EARLIER = 8;

export interface Place {
  sessionId: SessionId;
  parentTurnId: TurnId | null;
  /** The first turn that was asked for just this. */
  retryOf: TurnId | null;
  fork: { from: SessionId; after: TurnId } | null;
  /** Index of the first message that is new since the parent's answer; null when history in between is not ours. */
  newFrom: number | null;
}

export interface EarlierTurns {
  by(what: EarlierBy, hash: string): readonly EarlierTurn[];
}

export interface Asked {
  kind: TurnKind;
  /** The session that the client names, or null. */
  named: SessionId | null;
  /** The id of a new session, should one be needed. */
  fresh: SessionId;
  nowMs: number;
}

export function placeRequest(
  request: HashedRequest,
  earlier: EarlierTurns,
  { kind, named, fresh, nowMs }: Asked,
): Place {
  const parent = findParent(request, earlier, nowMs);
  const same = earlier
    .by('request', request.dialogue)
    .filter((turn) => turn.kind === kind && repeats(turn, request, parent?.turn.turnId ?? null, nowMs));
  const [retried] = same.some((turn) => turn.continued || turn.followed) ? [] : same;
  const newFrom = parent?.newFrom ?? null;
  if (retried !== undefined) {
    const { sessionId, parentTurnId, retryOf, turnId } = retried;
    return { sessionId, parentTurnId, retryOf: retryOf ?? turnId, fork: null, newFrom };
  }
  if (parent === undefined)
    return { sessionId: named ?? fresh, parentTurnId: null, retryOf: null, fork: null, newFrom };
  const { turnId, sessionId, continued } = parent.turn;
  const forks = kind === 'main' && named === null && (continued || newFrom === null);
  return {
    sessionId: forks ? fresh : sessionId,
    parentTurnId: turnId,
    retryOf: null,
    fork: forks ? { from: sessionId, after: turnId } : null,
    newFrom,
  };
}

function findParent(
  request: HashedRequest,
  earlier: EarlierTurns,
  nowMs: number,
): { turn: EarlierTurn; newFrom: number | null } | undefined {
  const [latest, ...before] = request.prefixes;
  if (latest === undefined) return undefined;
  const direct = best(earlier.by('conversation', latest.conversation), request);
  if (direct !== undefined) return { turn: direct, newFrom: latest.end };
  const rewritten =
    request.exchange === null
      ? []
      : earlier
          .by('exchange', request.exchange)
          .filter((turn) => nowMs - turn.createdAtMs < EXCHANGE_WINDOW_MS);
  const same = best(rewritten, request);
  if (same !== undefined) return { turn: same, newFrom: latest.end };
  const stopped = earlier.by('request', latest.dialogue).find((turn) => turn.state === 'failed');
  if (stopped !== undefined) return { turn: stopped, newFrom: latest.end };
  for (const prefix of before) {
    const shared = best(earlier.by('conversation', prefix.conversation), request);
    if (shared !== undefined) return { turn: shared, newFrom: null };
  }
  return undefined;
}

/** Equal conversations (two agents asked the same and got the same): the same system prompt, then the newest. */
function best(turns: readonly EarlierTurn[], request: HashedRequest): EarlierTurn | undefined {
  return turns.find((turn) => turn.systemHash === request.system) ?? turns[0];
}

function repeats(
  turn: EarlierTurn,
  request: HashedRequest,
  parentTurnId: TurnId | null,
  nowMs: number,
): boolean {
  // Two openings with the same words under different system prompts are two agents.
  if (turn.parentTurnId !== parentTurnId) return false;
  if (parentTurnId === null && turn.systemHash !== request.system) return false;
  return nowMs - (turn.finishedAtMs ?? turn.createdAtMs) <= RETRY_WINDOW_MS;
}
