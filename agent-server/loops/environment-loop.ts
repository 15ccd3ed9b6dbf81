/**
 * Queued observations become next states: a commit finds the proposal it answers, everything else names its turn,
 * and a proposal that went away closes its turn. Also closes what nothing followed for a day. The judge reads what
 * they mean.
 */
import type { TurnId } from '../protocol/ids.ts';
import type { CommitObservation } from '../protocol/observations.ts';
import { type CommitCandidate, matchCommit } from '../sessions/match-commit.ts';
import type { Store } from '../store/store.ts';
import type { StoredObservation } from '../store/types.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';
import {
  EXPIRY_CHECK_MS,
  LONGEST_JUDGE_WAIT_MS,
  MAX_CANDIDATES,
  MAX_EXPIRED,
  PROPOSAL_LIFETIME_MS,
  settleWindowMs,
} from './settlement.ts';

type Item = { kind: 'observation'; stored: StoredObservation } | { kind: 'expiry' };

export function startEnvironmentLoop(
  store: Store,
  options: Omit<LoopOptions, 'onChange' | 'together'>,
): Loop {
  return startLoop(environmentWork(store), {
    ...options,
    onChange: (listener) => store.onChange(listener),
    together: (work) => store.together(work),
    yieldShare: 2,
  });
}

export function environmentWork(store: Store): LoopWork<Item> {
  let expiryCheckDueMs = 0;
  // Further ahead than it is ever set: the clock was put back since.
  const expiryDue = (nowMs: number): boolean =>
    nowMs >= expiryCheckDueMs || expiryCheckDueMs > nowMs + EXPIRY_CHECK_MS;
  return {
    name: 'environment',
    wakesOn: ['observations'],
    next: (nowMs) => {
      const [stored] = store.queuedObservations(1);
      if (stored !== undefined) return { kind: 'observation', stored };
      return expiryDue(nowMs) ? { kind: 'expiry' } : undefined;
    },
    nextDueMs: () => expiryCheckDueMs,
    describe: (item) =>
      item.kind === 'expiry'
        ? 'expired proposals'
        : `${item.stored.observation.kind} observation ${item.stored.observationId}`,
    handleNow: (item, nowMs) => {
      if (item.kind === 'observation') {
        place(store, item.stored, nowMs);
      } else {
        store.pullDueTimes(nowMs, LONGEST_JUDGE_WAIT_MS);
        const expired = store.expireTurns(nowMs, PROPOSAL_LIFETIME_MS, MAX_EXPIRED);
        if (expired < MAX_EXPIRED) expiryCheckDueMs = nowMs + EXPIRY_CHECK_MS;
      }
      return true;
    },
    // handleNow leaves nothing to wait for.
    handle: () => undefined,
    giveUp: (item, nowMs, error) => {
      if (item.kind === 'expiry') expiryCheckDueMs = nowMs + EXPIRY_CHECK_MS;
      else store.setAside(item.stored.observationId, 'unmatched', error.message);
    },
    counts: (nowMs) => ({
      queued: store.queueLengths(nowMs).observations,
      done: store.doneCounts().environment,
    }),
  };
}

function place(
  store: Store,
  { observation, observationId, receivedAtMs }: StoredObservation,
  nowMs: number,
): void {
  const observedAtMs = Date.parse(observation.observedAt);
  if (observation.kind === 'commit') {
    const match = matchCommit(observation, candidates(store, observation, receivedAtMs));
    if (match.kind === 'matched') {
      store.attach(observationId, match.turnId, 'commit', observedAtMs, nowMs + settleWindowMs(observation));
    } else {
      store.setAside(observationId, match.kind, match.note);
    }
    return;
  }
  const state = store.turnState(observation.turnId);
  if (state === undefined) {
    store.setAside(observationId, 'unmatched', 'its turn is not in the store');
  } else if (state === 'running' || state === 'failed') {
    store.setAside(observationId, 'ignored', `its turn is ${state}: it has no complete answer`);
  } else if (observation.kind === 'proposal_closed') {
    store.closeTurn(observationId, observation.turnId, observation.reason);
  } else {
    const { kind, turnId } = observation;
    store.attach(observationId, turnId, kind, observedAtMs, nowMs + settleWindowMs(observation));
  }
}

function candidates(store: Store, commit: CommitObservation, receivedAtMs: number): CommitCandidate[] {
  const commitsOf = (turnId: TurnId): string[] =>
    store
      .nextStates(turnId)
      .flatMap(({ observation }) => (observation.kind === 'commit' ? [observation.sha] : []));
  return store
    .proposals(commit.repositoryRoot, receivedAtMs - PROPOSAL_LIFETIME_MS, MAX_CANDIDATES)
    .flatMap(({ turnId, kind, learnable, subject, closed, response }) =>
      kind === 'main' && learnable && subject.kind === 'commit_message'
        ? [{ turnId, subject, proposal: response?.text ?? '', closed, commits: commitsOf(turnId) }]
        : [],
    );
}
