/**
 * Turns that have something new are read, settled and turned into samples; those that evidence gives no score wait
 * for votes, which the vote loop gathers, and then come back here. Works without an await, so that no next state can
 * slip in between reading and recording: votes that did not see all of them do not count. What evidence and votes
 * mean is left to evidence/ and judge/.
 */
import { randomUUID } from 'node:crypto';
import { readObservation } from '../evidence/read-observation.ts';
import { demonstrateAccepted } from '../judge/accepted-with-lessons.ts';
import { type Observed, sampleOf, settle, wantsVotes } from '../judge/settle.ts';
import type { VotingParts } from '../judge/votes.ts';
import type { LearningConfig } from '../learning/config.ts';
import { degenerateReason } from '../learning/degenerate.ts';
import { type ObservationId, SampleId, type TurnId } from '../protocol/ids.ts';
import type { Observation } from '../protocol/observations.ts';
import { proposedEdits } from '../sessions/proposed-edits.ts';
import type { Store } from '../store/store.ts';
import type { NextState, Turn } from '../store/types.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';
import { CONTEXT_TURNS } from './settlement.ts';
import { startVoteLoops, type Votes } from './vote-loop.ts';

type Due = { turnId: TurnId; reason: string };

/** Reads and settles; `votes` says who votes where evidence is silent. */
export function startJudgeLoop(
  store: Store,
  learning: LearningConfig,
  votes: Votes,
  options: Omit<LoopOptions, 'onChange' | 'together'>,
): Loop {
  const reading = startLoop(judgeWork(store, learning, votes), {
    ...options,
    onChange: (listener) => store.onChange(listener),
    together: (work) => store.together(work),
    // Verdicts can wait: taking in comes first.
    yieldShare: 9,
  });
  const voting = startVoteLoops(store, votes, options);
  const all = [reading, ...voting];
  return {
    status: () => {
      const statuses = all.map((loop) => loop.status());
      const [{ queued, done } = reading.status()] = statuses;
      const [first = reading.status()] = statuses.toSorted((a, b) => WEIGHT[b.state] - WEIGHT[a.state]);
      return {
        ...first,
        queued,
        done,
        detail: statuses.find(({ detail }) => detail !== null)?.detail ?? null,
      };
    },
    pause: () => {
      for (const loop of all) loop.pause();
    },
    resume: () => {
      for (const loop of all) loop.resume();
    },
    stop: async () => {
      await Promise.all(all.map((loop) => loop.stop()));
    },
  };
}

/** Of several loops the panel shows the one that there is most to say of. */
const WEIGHT = { failed: 4, paused: 3, waiting: 2, working: 1, idle: 0 } as const;

export function judgeWork(
  store: Store,
  learning: LearningConfig,
  { parts, config }: { parts: Pick<VotingParts, 'judge'>; config: Pick<Votes['config'], 'votes'> },
): LoopWork<Due> {
  const judgeTurn = ({ turnId, reason }: Due, nowMs: number): void => {
    const turn = store.turn(turnId);
    const { observed, seen } = turn === undefined ? NOTHING : readingsOf(store, turn);
    const trainable = turn?.kind === 'main' && turn.learnable;
    const asks = trainable && parts.judge.present && wantsVotes(observed);
    const given = asks ? store.votes(turnId).filter((vote) => vote.seen === seen) : [];
    const voted = given.length >= config.votes;
    const away = reason === 'judge_unavailable';
    if (asks && !voted && !away) {
      store.awaitVotes(turnId, nowMs);
      return;
    }
    const why = away ? reason : (turn?.closed ?? '');
    const { verdict, hints } = settle(observed, { turnId, reason: why, nowMs }, voted ? given : []);
    const made = { sampleId: SampleId.parse(randomUUID()), createdAtMs: nowMs };
    const degenerate = turn?.response ? degenerateReason(turn.response) : null;
    const judged = trainable ? sampleOf(verdict, learning, made, degenerate) : null;
    const sample = degenerate === null ? demonstrateAccepted(judged, turn, learning) : judged;
    store.recordVerdict(verdict, sample, hints);
  };
  return {
    name: 'judge',
    wakesOn: ['judge'],
    next: (nowMs) => store.dueTurns(nowMs, 1)[0],
    nextDueMs: () => store.nextJudgeDueMs(),
    describe: ({ turnId }) => `turn ${turnId}`,
    handleNow: (due, nowMs) => {
      judgeTurn(due, nowMs);
      return true;
    },
    // handleNow leaves nothing to wait for.
    handle: () => undefined,
    giveUp: ({ turnId }, nowMs) =>
      store.recordVerdict(
        { turnId, score: null, decidedBy: 'none:error', evidence: [], hint: null, decidedAtMs: nowMs },
        null,
      ),
    counts: (nowMs) => ({ queued: store.queueLengths(nowMs).judge, done: store.doneCounts().judge }),
  };
}

interface Readings {
  readonly observed: Observed[];
  /** How many next states the turn has, with those that say nothing. */
  readonly seen: number;
}

const NOTHING: Readings = { observed: [], seen: 0 };

/** What the turn's next states say, each read with what came before it in the session. */
function readingsOf(store: Store, turn: Turn): Readings {
  const nextStates = store.nextStates(turn.turnId);
  const session = sessionOf(store, turn);
  const observed = nextStates.flatMap(({ observation, observationId, observedAtMs }): Observed[] => {
    const reading = readObservation(observation, turn.response?.text ?? '', {
      request: session.request,
      toolCalls: session.toolCalls,
      answer: turn.answer,
      get edits() {
        return turn.answer === null ? [] : proposedEdits(turn.answer);
      },
      get before() {
        return session.before(observationId);
      },
    });
    return reading === null ? [] : [{ reading, observationId, observedAtMs }];
  });
  return { observed, seen: nextStates.length };
}

/** What a reading may look back on. The session's next states are fetched for the readings that do look back. */
function sessionOf(store: Store, turn: Turn) {
  let all: NextState[] | undefined;
  const toolCalls = [...turn.messages, { role: 'assistant' as const, toolCalls: turn.answer?.toolCalls }]
    .flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
    .map((call) => ({ callId: call.id, name: call.name, arguments: call.arguments }));
  return {
    request: turn.messages.findLast(({ role }) => role === 'user')?.content ?? '',
    toolCalls,
    before: (observationId: ObservationId): Observation[] => {
      all ??= store.sessionNextStates(turn.turnId, CONTEXT_TURNS);
      const index = all.findIndex((next) => next.observationId === observationId);
      return all.slice(0, Math.max(index, 0)).map(({ observation }) => observation);
    },
  };
}
