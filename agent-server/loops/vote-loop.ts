/**
 * Gathers the judge's votes for turns that wait for them, some turns at once, and hands these back to the judge loop.
 * A judge that is away puts its turns off, here and nowhere else: what evidence decides never comes this way. Every
 * vote is kept when it is given, so a restart asks only for those that are missing.
 */

import { randomBytes } from 'node:crypto';
import type { EngineEndpoint } from '../engine/http-client.ts';
import { request } from '../engine/request.ts';
import type { JudgeConfig } from '../judge/config.ts';
import { configuredJudge } from '../judge/configured-judge.ts';
import type { Judge } from '../judge/judge.ts';
import { judgedTurn } from '../judge/judged-turn.ts';
import { castVotes, type VotingParts } from '../judge/votes.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { TurnId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';
import { JUDGE_PATIENCE } from './settlement.ts';

export interface Votes {
  readonly parts: VotingParts;
  readonly config: JudgeConfig;
}

/** Votes by the judge that config.json and the environment name. Throws `invalid_request` when that is not whole. */
export function votesFrom(
  config: JudgeConfig,
  env: NodeJS.ProcessEnv,
  editors: Judge,
  worker: () => EngineEndpoint,
): Votes {
  const judge = configuredJudge(config, env, editors, (body, signal) => sendToWorker(worker, body, signal));
  const nonce = (): string => randomBytes(NONCE_BYTES).toString('hex');
  return { config, parts: { judge, config, nonce, nowMs: Date.now } };
}

/** The worker's second model is behind the port, key and certificate of the first. Throws `judge_unavailable`. */
export async function sendToWorker(
  worker: () => EngineEndpoint,
  body: string,
  signal: AbortSignal,
): Promise<Response> {
  try {
    const endpoint = worker();
    const headers = { authorization: `Bearer ${endpoint.key}`, 'content-type': 'application/json' };
    const path = '/judge/v1/chat/completions';
    return await request(endpoint, { method: 'POST', path, headers, body, signal });
  } catch (thrown) {
    if (!(thrown instanceof ApprenticeError)) throw thrown;
    throw new ApprenticeError('judge_unavailable', thrown.message, thrown.remedy, { cause: thrown });
  }
}

const NONCE_BYTES = 8;

/** First pause of a loop after a failed call; doubles up to 32 s. */
const RETRY_MS = 1_000;

/** As many loops as turns may be voted on at once. */
export function startVoteLoops(store: Store, votes: Votes, options: Omit<LoopOptions, 'onChange'>): Loop[] {
  const { parallel, votes: perTurn } = votes.config;
  const claimed = new Set<TurnId>();
  return Array.from({ length: Math.max(1, Math.floor(parallel / perTurn)) }, () =>
    startLoop(voteWork(store, votes, claimed), {
      ...options,
      retryMs: RETRY_MS,
      // What failed has been put off in the store: the next attempt is another turn's, or the same one's later.
      maxAttempts: Number.POSITIVE_INFINITY,
      onChange: (listener) => store.onChange(listener),
    }),
  );
}

/** `claimed`: the turns that loops over the same store are voting on now. */
export function voteWork(store: Store, { parts, config }: Votes, claimed: Set<TurnId>): LoopWork<TurnId> {
  const postpone = (turnId: TurnId, thrown: unknown): void => {
    const away = toApprenticeError(thrown).code === 'judge_unavailable';
    store.postponeVotes(away ? 'all due' : turnId, parts.nowMs(), JUDGE_PATIENCE);
  };
  return {
    name: 'judge',
    wakesOn: ['judge', 'settings'],
    next: (nowMs) => {
      // Nothing of the user's leaves for a judge without consent, or while learning is paused.
      if (store.learning() !== 'on') return undefined;
      return store.turnsAwaitingVotes(nowMs, claimed.size + 1).find((turnId) => !claimed.has(turnId));
    },
    nextDueMs: () => (store.learning() === 'on' && claimed.size === 0 ? store.nextVoteDueMs() : undefined),
    describe: (turnId) => `votes on turn ${turnId}`,
    handle: async (turnId, _nowMs, signal) => {
      claimed.add(turnId);
      try {
        const nextStates = store.nextStates(turnId);
        const turn = store.turn(turnId);
        if (turn !== undefined) {
          const seen = nextStates.length;
          const missing = config.votes - store.votes(turnId).filter((vote) => vote.seen === seen).length;
          const voting = { turn: judgedTurn(turn, nextStates), seen, missing };
          await castVotes(parts, voting, (vote) => store.addVote(turnId, vote), signal);
        }
        store.endVoting(turnId, parts.nowMs());
      } catch (error) {
        if (!signal.aborted) postpone(turnId, error);
        throw error;
      } finally {
        claimed.delete(turnId);
      }
    },
    giveUp: (turnId, _nowMs, error) => postpone(turnId, error),
    // Turns that wait for votes are in the judge's one queue, which the loop that reads it counts.
    counts: () => ({ queued: 0, done: 0 }),
  };
}
