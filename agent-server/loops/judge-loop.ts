/**
 * Turns that have something new are read, settled and turned into samples. Works in one go, without an await,
 * so that no next state can slip in between reading and recording. What evidence means is left to evidence/ and
 * judge/.
 */
import { randomUUID } from 'node:crypto';
import { readObservation } from '../evidence/read-observation.ts';
import { type Observed, sampleOf, settle } from '../judge/settle.ts';
import type { LearningConfig } from '../learning/config.ts';
import { SampleId, type TurnId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import { type Loop, type LoopOptions, type LoopWork, startLoop } from './loop.ts';

export function startJudgeLoop(
  store: Store,
  learning: LearningConfig,
  options: Omit<LoopOptions, 'onChange'>,
): Loop {
  return startLoop(judgeWork(store, learning), {
    ...options,
    onChange: (listener) => store.onChange(listener),
  });
}

export function judgeWork(store: Store, learning: LearningConfig): LoopWork<TurnId> {
  return {
    name: 'judge',
    wakesOn: ['judge'],
    next: (nowMs) => store.dueTurns(nowMs, 1)[0]?.turnId,
    nextDueMs: () => store.nextJudgeDueMs(),
    describe: (turnId) => `turn ${turnId}`,
    handle: (turnId, nowMs) => {
      const turn = store.turn(turnId);
      const proposal = turn?.response?.text ?? '';
      const observed = store.nextStates(turnId).flatMap((next): Observed[] => {
        const reading = readObservation(next.observation, proposal);
        if (reading === null) return [];
        return [{ reading, observationId: next.observationId, observedAtMs: next.observedAtMs }];
      });
      const verdict = settle(observed, { turnId, reason: turn?.closed ?? '', nowMs });
      const trainable = turn?.kind === 'main' && turn.learnable;
      const made = { sampleId: SampleId.parse(randomUUID()), createdAtMs: nowMs };
      store.recordVerdict(verdict, trainable ? sampleOf(verdict, learning, made) : null);
    },
    giveUp: (turnId, nowMs) =>
      store.recordVerdict(
        { turnId, score: null, decidedBy: 'none:error', evidence: [], hint: null, decidedAtMs: nowMs },
        null,
      ),
    counts: (nowMs) => ({ queued: store.queueLengths(nowMs).judge, done: store.doneCounts().judge }),
  };
}
