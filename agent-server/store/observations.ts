/** The environment loop's queries: the intake queue, and what it turns into. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import type { TurnId } from '../protocol/ids.ts';
import { ObservationRow } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

/** Queued observations beyond which new ones are refused. */
export const MAX_QUEUED_OBSERVATIONS = 10_000;

type ObservationQueries = Pick<
  Store,
  | 'turnState'
  | 'addObservation'
  | 'queuedObservations'
  | 'attach'
  | 'setAside'
  | 'closeTurn'
  | 'expireTurns'
  | 'pullDueTimes'
>;

const Count = z.object({ n: z.number() });
const TurnStateColumn = z.enum(['running', 'open', 'settled', 'failed']);
const StateRow = z.object({ state: z.string() });

const TurnStateRow = z.object({ state: TurnStateColumn });
const TurnIdRow = z.object({ turn_id: z.string() });

export function observationQueries(db: Database): ObservationQueries {
  /** Moves an observation off the queue; false when that was done before. Throws for an id never seen. */
  const take = (
    observationId: string,
    state: 'attached' | 'unmatched' | 'ignored',
    note: string | null,
  ): boolean => {
    const changed = db.run(
      `UPDATE observations SET state = ?, note = ? WHERE observation_id = ? AND state = 'queued'`,
      state,
      note,
      observationId,
    );
    if (changed === 1) return true;
    if (db.get(StateRow, 'SELECT state FROM observations WHERE observation_id = ?', observationId))
      return false;
    throw new ApprenticeError(
      'not_found',
      `No observation ${observationId} in the store.`,
      'Report it again.',
    );
  };
  const queueForJudge = (turnId: TurnId | string, dueAtMs: number, reason: string): void => {
    db.run(
      `INSERT INTO judge_queue(turn_id, due_at_ms, reason) VALUES (?, ?, ?)
       ON CONFLICT(turn_id) DO UPDATE SET due_at_ms = min(due_at_ms, excluded.due_at_ms), reason = excluded.reason,
         stage = 'evidence', attempts = 0`,
      turnId,
      dueAtMs,
      reason,
    );
  };

  return {
    turnState: (turnId) => db.get(TurnStateRow, 'SELECT state FROM turns WHERE turn_id = ?', turnId)?.state,

    addObservation: (observation, receivedAtMs) => {
      const added = db.write(['observations'], () => {
        const { observationId } = observation;
        const queued = db.get(Count, `SELECT value AS n FROM counters WHERE name = 'queued'`);
        if ((queued?.n ?? 0) >= MAX_QUEUED_OBSERVATIONS) {
          if (db.get(StateRow, 'SELECT state FROM observations WHERE observation_id = ?', observationId))
            return null;
          throw new ApprenticeError(
            'queue_full',
            `${MAX_QUEUED_OBSERVATIONS} observations wait already.`,
            'Report it again in a minute.',
          );
        }
        const added = db.run(
          `INSERT INTO observations(observation_id, kind, body, received_at_ms, state) VALUES (?, ?, ?, ?, 'queued')
           ON CONFLICT(observation_id) DO NOTHING`,
          observationId,
          observation.kind,
          JSON.stringify(observation),
          receivedAtMs,
        );
        return added === 1 ? true : null;
      });
      return added === null ? 'duplicate' : 'added';
    },

    queuedObservations: (limit) =>
      db.all(
        ObservationRow,
        `SELECT observation_id, body, received_at_ms FROM observations WHERE state = 'queued' ORDER BY seq LIMIT ?`,
        limit,
      ),

    attach: (observationId, turnId, kind, observedAtMs, judgeDueAtMs) => {
      db.write(['observations', 'judge', 'turns'], () => {
        if (!take(observationId, 'attached', null)) return null;
        db.run(
          'INSERT INTO next_states(turn_id, observation_id, kind, observed_at_ms) VALUES (?, ?, ?, ?)',
          turnId,
          observationId,
          kind,
          observedAtMs,
        );
        queueForJudge(turnId, judgeDueAtMs, kind);
        return true;
      });
    },

    setAside: (observationId, state, note) => {
      db.write(['observations'], () => (take(observationId, state, note) ? true : null));
    },

    closeTurn: (observationId, turnId, reason) => {
      db.write(['observations', 'judge', 'turns'], () => {
        if (!take(observationId, 'ignored', `closed its turn: ${reason}`)) return null;
        const closed = db.run(
          `UPDATE turns SET closed_reason = ? WHERE turn_id = ? AND state = 'open' AND closed_reason IS NULL
             AND NOT EXISTS (SELECT 1 FROM next_states n WHERE n.turn_id = turns.turn_id)`,
          reason,
          turnId,
        );
        if (closed === 1) queueForJudge(turnId, 0, reason);
        return true;
      });
    },

    pullDueTimes: (nowMs, furthestMs) => {
      const pulled = db.write(['judge'], () => {
        const changed = db.run(
          `UPDATE judge_queue SET due_at_ms = ?
           WHERE stage IN ('evidence', 'votes') AND due_at_ms > ?`,
          nowMs,
          nowMs + furthestMs,
        );
        return changed > 0 ? changed : null;
      });
      return pulled ?? 0;
    },

    expireTurns: (nowMs, lifetimeMs, limit) => {
      const expired = db.write(['judge', 'turns'], () => {
        const rows = db.all(
          TurnIdRow,
          // The index turns_open is for just these two states: SQLite sees that it may be used when both are named.
          `UPDATE turns SET closed_reason = 'expired' WHERE turn_id IN (
             SELECT turn_id FROM turns WHERE state IN ('running', 'open') AND state = 'open'
               AND (created_at_ms < ? OR created_at_ms > ?) AND closed_reason IS NULL
               AND turn_id NOT IN (SELECT turn_id FROM judge_queue) LIMIT ?) RETURNING turn_id`,
          nowMs - lifetimeMs,
          nowMs + lifetimeMs,
          limit,
        );
        for (const { turn_id } of rows) queueForJudge(turn_id, nowMs, 'expired');
        return rows.length > 0 ? rows.length : null;
      });
      return expired ?? 0;
    },
  };
}
