/** Settings and the serve loop's queries: sessions, turns, their answers. */
import { z } from 'zod';
import { LearningState } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { TurnId } from '../protocol/ids.ts';
import { idsToBlob, logprobsToBlob, TurnRow } from './codec.ts';
import type { Database } from './database.ts';
import { insertSession, settleRetries } from './sessions.ts';
import type { Store } from './store.ts';
import type { NewTurn, Turn, TurnContext } from './types.ts';

type TurnQueries = Pick<
  Store,
  | 'learning'
  | 'setLearning'
  | 'beginTurn'
  | 'finishTurn'
  | 'failTurn'
  | 'failInterruptedTurns'
  | 'turn'
  | 'proposals'
>;

const LearningRow = z.object({ value: LearningState });
const TurnIdRow = z.object({ turn_id: z.string() });

export function turnQueries(db: Database): TurnQueries {
  const turn = (turnId: TurnId): Turn | undefined =>
    db.get(TurnRow, 'SELECT * FROM turns WHERE turn_id = ?', turnId);

  // Asked for with every next state; one process writes it.
  let learning: LearningState | undefined;

  return {
    learning: () => {
      learning ??=
        db.get(LearningRow, `SELECT value FROM settings WHERE key = 'learning'`)?.value ?? 'unasked';
      return learning;
    },

    setLearning: (state) => {
      // Forgotten first: after a write that fails the file is asked again.
      learning = undefined;
      db.write(['settings'], () => {
        db.run(
          `INSERT INTO settings(key, value) VALUES ('learning', ?)
           ON CONFLICT(key) DO UPDATE SET value = excluded.value`,
          state,
        );
      });
    },

    beginTurn: (begun, context = EDITOR_TURN) =>
      db.write(['turns'], () => {
        insertSession(db, begun, context);
        db.run(
          `INSERT INTO turns(turn_id, session_id, kind, learnable, state, created_at_ms, messages, prompt_ids,
             version, subject, request_hash, system_hash, parent_turn_id, retry_of, side_reason, tools, lesson_ids)
           VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          begun.turnId,
          begun.sessionId,
          begun.kind,
          begun.learnable ? 1 : 0,
          begun.createdAtMs,
          JSON.stringify(begun.messages),
          idsToBlob(begun.promptIds),
          begun.version,
          JSON.stringify(begun.subject),
          context.hashes?.dialogue ?? null,
          context.hashes?.system ?? null,
          context.parentTurnId,
          context.retryOf,
          context.takenFor === 'main' ? null : context.takenFor,
          context.tools.length === 0 ? null : JSON.stringify(context.tools),
          JSON.stringify(context.lessonIds),
        );
        if (begun.kind === 'main' && context.parentTurnId !== null) settleRetries(db, context.parentTurnId);
      }),

    finishTurn: (turnId, response, answer) =>
      db.write(['turns', 'judge'], () => {
        if (response.responseIds.length !== response.behaviourLogprobs.length) {
          throw new ApprenticeError(
            'internal',
            `Turn ${turnId}: ${response.responseIds.length} ids and ${response.behaviourLogprobs.length} logprobs.`,
            'Report this.',
          );
        }
        const changed = db.run(
          `UPDATE turns SET state = CASE WHEN kind = 'main' AND learnable = 1 THEN 'open' ELSE 'settled' END,
             finished_at_ms = ?, response_ids = ?, behaviour_logprobs = ?, text = ?, finish_reason = ?,
             answered_by = ?, answer = ?, conversation_hash = ?, exchange_hash = ?
           WHERE turn_id = ? AND state = 'running'`,
          response.finishedAtMs,
          idsToBlob(response.responseIds),
          logprobsToBlob(response.behaviourLogprobs),
          response.text,
          response.finishReason,
          response.version,
          JSON.stringify(answer?.message ?? { content: response.text, reasoning: '', toolCalls: [] }),
          answer?.hashes?.conversation ?? null,
          answer?.hashes?.exchange ?? null,
          turnId,
        );
        if (changed !== 1) throw notRunning(turnId);
        const finished = turn(turnId);
        if (finished?.state === 'open') {
          overwriteEarlier(db, finished, response.finishedAtMs);
          settleRetries(db, turnId);
        }
      }),

    failTurn: (turnId, code) =>
      db.write(['turns'], () => {
        const changed = db.run(
          `UPDATE turns SET state = 'failed', error_code = ? WHERE turn_id = ? AND state = 'running'`,
          code,
          turnId,
        );
        if (changed !== 1) throw notRunning(turnId);
      }),

    failInterruptedTurns: () =>
      db.write(['turns'], () =>
        // Both states are named because the index turns_open is for just these two.
        db.run(
          `UPDATE turns SET state = 'failed', error_code = 'aborted'
           WHERE state IN ('running', 'open') AND state = 'running'`,
        ),
      ),

    turn,

    proposals: (repositoryRoot, sinceMs, limit) =>
      db.all(
        TurnRow,
        `SELECT * FROM turns WHERE repository_root = ? AND created_at_ms >= ? AND subject_kind = 'commit_message'
           AND state IN ('open', 'settled') ORDER BY created_at_ms DESC, rowid DESC LIMIT ?`,
        repositoryRoot,
        sinceMs,
        limit,
      ),
  };
}

const EDITOR_TURN: TurnContext = {
  origin: 'editor',
  client: null,
  takenFor: 'main',
  parentTurnId: null,
  retryOf: null,
  fork: null,
  hashes: null,
  tools: [],
  lessonIds: [],
};

/** There is one input box a repository: the newer proposal replaced the earlier ones made on the same HEAD. */
function overwriteEarlier(db: Database, newer: NewTurn, nowMs: number): void {
  if (newer.subject.kind !== 'commit_message') return;
  const overwritten = db.all(
    TurnIdRow,
    `UPDATE turns SET closed_reason = 'overwritten'
     WHERE repository_root = ? AND subject ->> '$.head' IS ? AND turn_id <> ? AND created_at_ms <= ?
       AND subject_kind = 'commit_message' AND state = 'open' AND closed_reason IS NULL
       AND NOT EXISTS (SELECT 1 FROM next_states n WHERE n.turn_id = turns.turn_id)
     RETURNING turn_id`,
    newer.subject.repositoryRoot,
    newer.subject.head,
    newer.turnId,
    newer.createdAtMs,
  );
  for (const { turn_id } of overwritten) {
    db.run(
      `INSERT INTO judge_queue(turn_id, due_at_ms, reason) VALUES (?, ?, 'overwritten') ON CONFLICT DO NOTHING`,
      turn_id,
      nowMs,
    );
  }
}

function notRunning(turnId: TurnId): ApprenticeError {
  return new ApprenticeError(
    'invalid_request',
    `Turn ${turnId} is not running: its end was already recorded, or the agent-server was restarted.`,
    'Ask again.',
  );
}
