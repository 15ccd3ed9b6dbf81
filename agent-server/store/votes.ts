/** The votes' queries: turns that wait for the judge, and what it said of them. What votes add up to is judge/'s. */
import { z } from 'zod';
import { TurnId } from '../protocol/ids.ts';
import { VoteRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

type VoteQueries = Pick<
  Store,
  'awaitVotes' | 'turnsAwaitingVotes' | 'nextVoteDueMs' | 'addVote' | 'votes' | 'postponeVotes' | 'endVoting'
>;

const TurnIdRow = z.object({ turn_id: TurnId });
const NextDueRow = z.object({ due: z.number().nullable() });

export function voteQueries(db: Database): VoteQueries {
  return {
    awaitVotes: (turnId, nowMs) => {
      db.write(['judge'], () =>
        db.run(
          `UPDATE judge_queue SET stage = 'votes', attempts = 0, due_at_ms = ? WHERE turn_id = ?`,
          nowMs,
          turnId,
        ),
      );
    },

    turnsAwaitingVotes: (nowMs, limit) =>
      db
        .all(
          TurnIdRow,
          `SELECT turn_id FROM judge_queue WHERE stage = 'votes' AND due_at_ms <= ?
           ORDER BY due_at_ms, rowid LIMIT ?`,
          nowMs,
          limit,
        )
        .map((row) => row.turn_id),

    nextVoteDueMs: () =>
      db.get(NextDueRow, `SELECT min(due_at_ms) AS due FROM judge_queue WHERE stage = 'votes'`)?.due ??
      undefined,

    addVote: (turnId, vote) => {
      // Nobody waits for a single vote: the turn is told of when its voting ends.
      db.write([], () =>
        db.run(
          `INSERT INTO votes(turn_id, score, hints, seen, judge, model, prompt, raw, latency_ms, prompt_tokens,
             completion_tokens, cost_usd, created_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          turnId,
          vote.score,
          JSON.stringify(vote.hints),
          vote.seen,
          vote.judge,
          vote.model,
          vote.prompt,
          vote.raw,
          vote.latencyMs,
          vote.promptTokens,
          vote.completionTokens,
          vote.costUsd,
          vote.createdAtMs,
        ),
      );
    },

    votes: (turnId) => db.all(VoteRow, 'SELECT * FROM votes WHERE turn_id = ? ORDER BY vote_id', turnId),

    endVoting: (turnId, nowMs) => {
      db.write(['judge'], () =>
        db.run(
          `UPDATE judge_queue SET stage = 'evidence', reason = 'votes', due_at_ms = ? WHERE turn_id = ? AND stage = 'votes'`,
          nowMs,
          turnId,
        ),
      );
    },

    postponeVotes: (of, nowMs, { firstWaitMs, maxAttempts }) => {
      const [which, parameter] = of === 'all due' ? ['due_at_ms <= ?', nowMs] : ['turn_id = ?', of];
      db.write(['judge'], () =>
        db.run(
          `UPDATE judge_queue SET attempts = attempts + 1,
             stage = iif(attempts + 1 < ?, 'votes', 'evidence'),
             reason = iif(attempts + 1 < ?, reason, 'judge_unavailable'),
             due_at_ms = ? + iif(attempts + 1 < ?, ? * (1 << attempts), 0)
           WHERE stage = 'votes' AND ${which}`,
          maxAttempts,
          maxAttempts,
          nowMs,
          maxAttempts,
          firstWaitMs,
          parameter,
        ),
      );
    },
  };
}
