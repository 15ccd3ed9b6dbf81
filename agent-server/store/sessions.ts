/** Sessions and the place of a turn in them: rows, look-ups by hash, and which of several retries counts. */
import { z } from 'zod';
import { SessionOrigin, TakenFor } from '../protocol/gateway.ts';
import { SessionId, TurnId } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';
import type { EarlierTurn, NewTurn, Session, TurnContext } from './types.ts';

type SessionQueries = Pick<Store, 'earlierTurns' | 'session'>;

const EarlierRow = z
  .object({
    turn_id: TurnId,
    session_id: SessionId,
    kind: z.enum(['main', 'side']),
    state: z.enum(['running', 'open', 'settled', 'failed']),
    created_at_ms: z.number(),
    finished_at_ms: z.number().nullable(),
    system_hash: z.string().nullable(),
    parent_turn_id: TurnId.nullable(),
    retry_of: TurnId.nullable(),
    continued: z.number(),
    followed: z.number(),
  })
  .transform(
    (row): EarlierTurn => ({
      turnId: row.turn_id,
      sessionId: row.session_id,
      kind: row.kind,
      state: row.state,
      createdAtMs: row.created_at_ms,
      finishedAtMs: row.finished_at_ms,
      systemHash: row.system_hash,
      parentTurnId: row.parent_turn_id,
      retryOf: row.retry_of,
      continued: row.continued === 1,
      followed: row.followed === 1,
    }),
  );

const SessionRow = z
  .object({
    session_id: SessionId,
    created_at_ms: z.number(),
    origin: SessionOrigin,
    taken_for: TakenFor,
    client: z.string().nullable(),
    forked_from: SessionId.nullable(),
    forked_after: TurnId.nullable(),
  })
  .transform(
    (row): Session => ({
      sessionId: row.session_id,
      createdAtMs: row.created_at_ms,
      origin: row.origin,
      takenFor: row.taken_for,
      client: row.client,
      fork:
        row.forked_from !== null && row.forked_after !== null
          ? { from: row.forked_from, after: row.forked_after }
          : null,
    }),
  );

const HASH_COLUMNS = {
  request: 'request_hash',
  conversation: 'conversation_hash',
  exchange: 'exchange_hash',
} as const;

/** Main work went on from the turn `t`. A failed continuation is none: its client will ask again. */
const CONTINUED = `EXISTS (SELECT 1 FROM turns c WHERE c.parent_turn_id = t.turn_id AND c.kind = 'main' AND c.state <> 'failed')`;
const FOLLOWED = 'EXISTS (SELECT 1 FROM next_states n WHERE n.turn_id = t.turn_id)';

const RetriedRow = z.object({ turn_id: TurnId, state: z.string(), closed_reason: z.string().nullable() });
const RootRow = z.object({ root: z.string() });

export function sessionQueries(db: Database): SessionQueries {
  return {
    earlierTurns: (by, hash, limit) =>
      db.all(
        EarlierRow,
        `SELECT t.turn_id, t.session_id, t.kind, t.state, t.created_at_ms, t.finished_at_ms, t.system_hash,
           t.parent_turn_id, t.retry_of, ${CONTINUED} AS continued, ${FOLLOWED} AS followed
         FROM turns t WHERE t.${HASH_COLUMNS[by]} = ? ORDER BY t.created_at_ms DESC, t.rowid DESC LIMIT ?`,
        hash,
        limit,
      ),

    session: (sessionId) => db.get(SessionRow, 'SELECT * FROM sessions WHERE session_id = ?', sessionId),
  };
}

/** The session of a turn that begins. One that was taken for something else becomes main work with its first main turn. */
export function insertSession(db: Database, begun: NewTurn, context: TurnContext): void {
  db.run(
    `INSERT INTO sessions(session_id, created_at_ms, origin, taken_for, client, forked_from, forked_after)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT(session_id) DO UPDATE SET taken_for = 'main'
       WHERE excluded.taken_for = 'main' AND sessions.taken_for <> 'main'`,
    begun.sessionId,
    begun.createdAtMs,
    context.origin,
    context.takenFor,
    context.client,
    context.fork?.from ?? null,
    context.fork?.after ?? null,
  );
}

/** Answers to the same request that may be under way together. */
const MAX_RETRIES_AT_ONCE = 16;

/**
 * Of a request and its retries one answer counts: what went on from it or was observed of it, else the newest.
 * The others are closed as `retried` and can no longer be learnt from; one closed so that counts again is opened.
 */
export function settleRetries(db: Database, turnId: TurnId): void {
  const root = db.get(
    RootRow,
    'SELECT coalesce(retry_of, turn_id) AS root FROM turns WHERE turn_id = ?',
    turnId,
  )?.root;
  if (root === undefined) return;
  const answers = db.all(
    RetriedRow,
    // Those before the newest few are closed already: a client that asks the same for ever costs the same each time.
    `SELECT t.turn_id, t.state, t.closed_reason FROM turns t
     WHERE t.turn_id IN (SELECT ? UNION SELECT ?
         UNION SELECT turn_id FROM (SELECT turn_id FROM turns WHERE retry_of = ? ORDER BY rowid DESC LIMIT ?))
       AND t.kind = 'main' AND t.state IN ('open', 'settled')
     ORDER BY ${CONTINUED} OR ${FOLLOWED} DESC, t.created_at_ms DESC, t.rowid DESC`,
    turnId,
    root,
    root,
    MAX_RETRIES_AT_ONCE,
  );
  for (const [rank, answer] of answers.entries()) {
    if (rank === 0 && answer.closed_reason === 'retried') {
      db.run(
        `UPDATE turns SET state = 'open', learnable = 1, closed_reason = NULL WHERE turn_id = ?`,
        answer.turn_id,
      );
    }
    if (rank > 0 && answer.state === 'open') {
      db.run(
        `UPDATE turns SET state = 'settled', learnable = 0, closed_reason = 'retried' WHERE turn_id = ?`,
        answer.turn_id,
      );
    }
  }
}
