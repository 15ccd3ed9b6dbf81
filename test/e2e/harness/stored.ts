/** Reads a home's store while the agent-server writes it: the rows that a correction leaves, from turn to version. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { WeightVersion } from '../../../agent-server/protocol/ids.ts';

const Lineage = z.object({
  turn_id: z.string(),
  turn_state: z.string(),
  text: z.string().nullable(),
  /** That answered. */
  version: WeightVersion,
  observation_kind: z.string().nullable(),
  observation_source: z.string().nullable(),
  observation_state: z.string().nullable(),
  observed_message: z.string().nullable(),
  score: z.number().nullable(),
  decided_by: z.string().nullable(),
  hint_kind: z.string().nullable(),
  hint_text: z.string().nullable(),
  sample_state: z.string().nullable(),
  batch_state: z.string().nullable(),
  /** That learnt from it. */
  learnt_version: WeightVersion.nullable(),
  learnt_version_state: z.string().nullable(),
});
export type Lineage = z.infer<typeof Lineage>;

/** Commit message turns, oldest first, each with everything that came of it; none while there is no store. */
export function lineages(home: string): Lineage[] {
  return rowsOf(
    home,
    Lineage,
    `
        SELECT t.turn_id, t.state AS turn_state, t.text, t.version,
          o.kind AS observation_kind, o.body ->> '$.source' AS observation_source,
          o.state AS observation_state, o.body ->> '$.message' AS observed_message,
          v.score, v.decided_by, h.kind AS hint_kind, h.text AS hint_text,
          s.state AS sample_state, b.state AS batch_state,
          w.version AS learnt_version, w.state AS learnt_version_state
        FROM turns t
        LEFT JOIN next_states n ON n.turn_id = t.turn_id
        LEFT JOIN observations o ON o.observation_id = n.observation_id
        LEFT JOIN verdicts v ON v.turn_id = t.turn_id
        LEFT JOIN hints h ON h.turn_id = t.turn_id
        LEFT JOIN samples s ON s.turn_id = t.turn_id
        LEFT JOIN batch_samples bs ON bs.sample_id = s.sample_id AND bs.origin = 'new'
        LEFT JOIN batches b ON b.batch_id = bs.batch_id
        LEFT JOIN versions w ON w.batch_id = b.batch_id
        WHERE t.subject_kind = 'commit_message' AND t.kind = 'main'
        ORDER BY t.created_at_ms`,
  );
}

/** The repository of each commit message that was proposed, oldest first; none while there is no store. */
export function proposalRoots(home: string): string[] {
  return rowsOf(
    home,
    z.object({ root: z.string() }),
    `SELECT repository_root AS root FROM turns WHERE subject_kind = 'commit_message' AND state = 'open'
     ORDER BY created_at_ms`,
  ).map(({ root }) => root);
}

const UserEdit = z.object({ moment: z.string(), survival: z.number().nullable() });

/** What was reported of a turn's edits, in its order; none while there is no store. */
export function userEdits(home: string, turnId: string): z.infer<typeof UserEdit>[] {
  return rowsOf(
    home,
    UserEdit,
    `SELECT body ->> '$.moment' AS moment, body ->> '$.survival' AS survival FROM observations
     WHERE kind = 'user_edit' AND body ->> '$.turnId' = ? ORDER BY seq`,
    turnId,
  );
}

const GitTold = z.object({
  /** Of what git did; null for an edit. */
  action: z.string().nullable(),
  moment: z.string().nullable(),
  survival: z.number().nullable(),
  /** JSON. */
  edits: z.string().nullable(),
});

/** What git and its user did to a turn's edits, but for looks after a time, in its order; none while there is no store. */
export function gitHistory(home: string, turnId: string): z.infer<typeof GitTold>[] {
  return rowsOf(
    home,
    GitTold,
    `SELECT body ->> '$.action' AS action, body ->> '$.moment' AS moment, body ->> '$.survival' AS survival,
       body ->> '$.edits' AS edits FROM observations
     WHERE kind IN ('git', 'user_edit') AND body ->> '$.turnId' = ?
       AND coalesce(body ->> '$.moment', '') NOT IN ('30s', '5min') ORDER BY seq`,
    turnId,
  );
}

/** What a turn was asked, as it was sent; '' while it is not there. */
export function requestOf(home: string, turnId: string): string {
  const row = z.object({ messages: z.string() });
  return rowsOf(home, row, 'SELECT messages FROM turns WHERE turn_id = ?', turnId)[0]?.messages ?? '';
}

/** The first hint of a turn; undefined: it has none. */
export function hintOf(home: string, turnId: string): { kind: string; text: string } | undefined {
  const hint = z.object({ kind: z.string(), text: z.string() });
  return rowsOf(home, hint, 'SELECT kind, text FROM hints WHERE turn_id = ? ORDER BY rowid', turnId)[0];
}

const Exchange = z.object({
  session_id: z.string(),
  taken_for: z.string(),
  client: z.string().nullable(),
  text: z.string().nullable(),
  /** What was observed of it, by kind. */
  next: z.string().nullable(),
  next_text: z.string().nullable(),
});
export type Exchange = z.infer<typeof Exchange>;

/** Turns that a chat made, oldest first, each with what the user said next; none while there is no store. */
export function chatTurns(home: string): Exchange[] {
  return rowsOf(
    home,
    Exchange,
    `SELECT t.session_id, s.taken_for, s.client, t.text, o.kind AS next, o.body ->> '$.text' AS next_text
     FROM turns t JOIN sessions s USING (session_id)
       LEFT JOIN next_states n USING (turn_id) LEFT JOIN observations o USING (observation_id)
     WHERE t.subject_kind = 'chat' ORDER BY t.created_at_ms`,
  );
}

const AgentTurn = z.object({
  turn_id: z.string(),
  session_id: z.string(),
  taken_for: z.string(),
  client: z.string().nullable(),
  /** The answer as the model wrote it. */
  text: z.string().nullable(),
  /** What its call brought; null: it called nothing. */
  tool: z.string().nullable(),
  result: z.string().nullable(),
  score: z.number().nullable(),
  hint_kind: z.string().nullable(),
  hint_text: z.string().nullable(),
});

/** Turns of our own agent, oldest first; none while there is no store. */
export function agentTurns(home: string): z.infer<typeof AgentTurn>[] {
  return rowsOf(
    home,
    AgentTurn,
    `SELECT t.turn_id, t.session_id, s.taken_for, s.client, t.text, v.score, h.kind AS hint_kind,
       h.text AS hint_text, o.body ->> '$.toolName' AS tool, o.body ->> '$.text' AS result
     FROM turns t JOIN sessions s USING (session_id) LEFT JOIN verdicts v USING (turn_id)
       LEFT JOIN hints h ON h.turn_id = t.turn_id AND h.kind = 'rewrite'
       LEFT JOIN observations o ON o.kind = 'tool_result' AND o.body ->> '$.turnId' = t.turn_id
     WHERE s.client = 'Apprentice agent' ORDER BY t.rowid`,
  );
}

const Run = z.object({
  kind: z.string(),
  commandLine: z.string().nullable(),
  cwd: z.string().nullable(),
  exitCode: z.number().nullable(),
  output: z.string(),
  /** What was shown before the turn. */
  before: z.string().nullable(),
  editedSince: z.number(),
});

/** The runs that were reported of a turn, in their order; none while there is no store. */
export function runsOf(home: string, turnId: string): z.infer<typeof Run>[] {
  return rowsOf(
    home,
    Run,
    `SELECT kind, body ->> '$.commandLine' AS commandLine, body ->> '$.cwd' AS cwd,
       body ->> '$.exitCode' AS exitCode, body ->> '$.output' AS output,
       body ->> '$.before.output' AS before, body ->> '$.editedSince' AS editedSince
     FROM observations
     WHERE kind IN ('terminal', 'task', 'test_run') AND body ->> '$.turnId' = ? ORDER BY seq`,
    turnId,
  );
}

const Told = z.array(
  z.object({ path: z.string(), line: z.number().nullable(), severity: z.string(), message: z.string() }),
);
const Diagnostics = z.object({
  appeared: z.string().transform((text) => Told.parse(JSON.parse(text))),
  vanished: z.string().transform((text) => Told.parse(JSON.parse(text))),
});

/** What language servers said of a turn's edits, in its order; none while there is no store. */
export function diagnosticsOf(home: string, turnId: string): z.infer<typeof Diagnostics>[] {
  return rowsOf(
    home,
    Diagnostics,
    `SELECT body ->> '$.appeared' AS appeared, body ->> '$.vanished' AS vanished FROM observations
     WHERE kind = 'diagnostics' AND body ->> '$.turnId' = ? ORDER BY seq`,
    turnId,
  );
}

const StoredVerdict = z.object({
  score: z.number().nullable(),
  decided_by: z.string(),
  /** Of runs, in their order. */
  run_scores: z.string().transform((text) => z.array(z.number().nullable()).parse(JSON.parse(text))),
});

/** What a turn came to so far; undefined: it was not judged yet. */
export function verdictOf(home: string, turnId: string): z.infer<typeof StoredVerdict> | undefined {
  return rowsOf(
    home,
    StoredVerdict,
    `SELECT score, decided_by, (
       SELECT json_group_array(e.score ORDER BY e.evidence_id) FROM evidence e
       WHERE e.turn_id = v.turn_id AND e.source IN ('terminal', 'task', 'test_run')
     ) AS run_scores
     FROM verdicts v WHERE turn_id = ?`,
    turnId,
  )[0];
}

/** The bodies of all that was ever reported. */
export function storedText(home: string): string {
  return rowsOf(home, z.object({ body: z.string() }), 'SELECT json(body) AS body FROM observations')
    .map(({ body }) => body)
    .join('\n');
}

const InlineEdit = z.object({
  turn_id: z.string(),
  score: z.number().nullable(),
  decided_by: z.string().nullable(),
  hint_kind: z.string().nullable(),
  hint_text: z.string().nullable(),
});

/** Inline edits that were answered, oldest first. */
export function inlineEdits(home: string): z.infer<typeof InlineEdit>[] {
  return rowsOf(
    home,
    InlineEdit,
    `SELECT t.turn_id, v.score, v.decided_by, h.kind AS hint_kind, h.text AS hint_text
     FROM turns t LEFT JOIN verdicts v USING (turn_id) LEFT JOIN hints h USING (turn_id)
     WHERE t.subject_kind = 'inline_edit' AND t.state IN ('open', 'settled') ORDER BY t.rowid`,
  );
}

const Review = z.object({
  hunk: z.number().nullable(),
  decision: z.string(),
  comment: z.string().nullable(),
  text: z.string().nullable(),
});

/** The decisions that were reported of a turn, in their order. */
export function reviews(home: string, turnId: string): z.infer<typeof Review>[] {
  return rowsOf(
    home,
    Review,
    `SELECT body ->> '$.hunk.index' AS hunk, body ->> '$.decision' AS decision, body ->> '$.comment' AS comment,
       body ->> '$.text' AS text FROM observations
     WHERE kind = 'patch_review' AND body ->> '$.turnId' = ? ORDER BY seq`,
    turnId,
  );
}

/** None while there is no store. */
function rowsOf<S extends z.ZodType>(home: string, row: S, sql: string, ...values: string[]): z.infer<S>[] {
  const file = join(home, 'store.sqlite');
  if (!existsSync(file)) return [];
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return z.array(row).parse(database.prepare(sql).all(...values));
  } finally {
    database.close();
  }
}
