/** Format 2: any agent's sessions, votes, several samples a turn, lessons, the gate, rollback and forgetting. */
export const MIGRATION_2 = `
  ALTER TABLE sessions ADD COLUMN origin TEXT NOT NULL DEFAULT 'editor' CHECK (origin IN ('header', 'prefix', 'editor'));
  -- What the session was taken for: main work, or a side request of which shape.
  ALTER TABLE sessions ADD COLUMN taken_for TEXT NOT NULL DEFAULT 'main';
  ALTER TABLE sessions ADD COLUMN client TEXT;
  -- A fork: the session whose history was edited, and the last turn that both share.
  ALTER TABLE sessions ADD COLUMN forked_from TEXT REFERENCES sessions(session_id);
  ALTER TABLE sessions ADD COLUMN forked_after TEXT REFERENCES turns(turn_id);

  -- Canonical hash of the request's messages; of those and the answer, which is what a next request extends.
  ALTER TABLE turns ADD COLUMN request_hash TEXT;
  ALTER TABLE turns ADD COLUMN conversation_hash TEXT;
  ALTER TABLE turns ADD COLUMN parent_turn_id TEXT REFERENCES turns(turn_id);
  -- Of the system's messages, which the two above leave out; of the last messages before the answer, and the answer.
  ALTER TABLE turns ADD COLUMN system_hash TEXT;
  ALTER TABLE turns ADD COLUMN exchange_hash TEXT;
  -- The first turn that was asked for just this.
  ALTER TABLE turns ADD COLUMN retry_of TEXT REFERENCES turns(turn_id);
  -- Why a side turn was taken for one.
  ALTER TABLE turns ADD COLUMN side_reason TEXT;
  -- JSON: the tools that were offered; the answer as a message (content, reasoning, tool calls).
  ALTER TABLE turns ADD COLUMN tools TEXT;
  ALTER TABLE turns ADD COLUMN answer TEXT;
  -- JSON array of the lessons that stood in the prompt. prompt_ids are with them, messages without.
  ALTER TABLE turns ADD COLUMN lesson_ids TEXT NOT NULL DEFAULT '[]';
  CREATE INDEX turns_by_session ON turns(session_id, created_at_ms);
  CREATE INDEX turns_by_conversation ON turns(conversation_hash, created_at_ms) WHERE conversation_hash IS NOT NULL;
  CREATE INDEX turns_by_exchange ON turns(exchange_hash, created_at_ms) WHERE exchange_hash IS NOT NULL;
  CREATE INDEX turns_by_parent ON turns(parent_turn_id) WHERE parent_turn_id IS NOT NULL;
  CREATE INDEX turns_by_retry ON turns(retry_of) WHERE retry_of IS NOT NULL;
  CREATE INDEX turns_by_request ON turns(request_hash, created_at_ms) WHERE request_hash IS NOT NULL;

  ALTER TABLE votes ADD COLUMN judge TEXT NOT NULL DEFAULT '';
  ALTER TABLE votes ADD COLUMN prompt_tokens INTEGER;
  ALTER TABLE votes ADD COLUMN completion_tokens INTEGER;
  ALTER TABLE votes ADD COLUMN cost_usd REAL;
  ALTER TABLE votes ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 0;
  -- How many of the turn's next states the judge saw; JSON array of its hints.
  ALTER TABLE votes ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE votes ADD COLUMN hints TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE judge_queue ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
  -- evidence: to be read. votes: read, nothing in it gave a score; waits for the judge's votes.
  ALTER TABLE judge_queue ADD COLUMN stage TEXT NOT NULL DEFAULT 'evidence' CHECK (stage IN ('evidence', 'votes'));
  DROP INDEX judge_queue_due;
  CREATE INDEX judge_queue_due ON judge_queue(stage, due_at_ms);
  -- All hints of a turn, best first; the first is also in hints.
  CREATE TABLE hint_candidates (
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rewrite', 'words')),
    source TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (turn_id, position)
  ) STRICT, WITHOUT ROWID;

  -- Whether the teacher's own answer is better than the student's, under the hint that was chosen for it.
  CREATE TABLE teacher_checks (
    sample_id TEXT PRIMARY KEY REFERENCES samples(sample_id) ON DELETE CASCADE,
    -- The version that taught.
    teacher TEXT NOT NULL,
    hint_kind TEXT NOT NULL CHECK (hint_kind IN ('rewrite', 'words')),
    hint_source TEXT NOT NULL,
    hint_text TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('better', 'worse', 'unknown')),
    detail TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Late, stronger evidence about a turn already trained makes another sample of it.
  DROP INDEX samples_by_turn;
  CREATE INDEX samples_by_turn ON samples(turn_id, created_at_ms);
  CREATE INDEX samples_by_batch ON samples(batch_id) WHERE batch_id IS NOT NULL;
  ALTER TABLE samples ADD COLUMN note TEXT;
  -- The turn's verdict says something else since this sample was put in a batch: it stays trained, and is not replayed.
  ALTER TABLE samples ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1));
  ALTER TABLE samples ADD COLUMN excluded INTEGER NOT NULL DEFAULT 0 CHECK (excluded IN (0, 1));
  CREATE INDEX samples_excluded ON samples(turn_id) WHERE excluded = 1;
  -- What never became a next state names its turn in the body only, and has to go with it.
  CREATE INDEX observations_loose ON observations(body ->> '$.turnId') WHERE state <> 'attached';

  -- Turns that a batch distilled, without a sample: those of the requests, and those that the lessons came from.
  CREATE TABLE batch_turns (
    batch_id TEXT NOT NULL REFERENCES batches(batch_id),
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    role TEXT NOT NULL CHECK (role IN ('request', 'lesson')),
    PRIMARY KEY (batch_id, turn_id, role)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE batches ADD COLUMN kind TEXT NOT NULL DEFAULT 'samples'
    CHECK (kind IN ('samples', 'distillation'));
  -- The batch came to nothing, or the user went back behind it: its samples may be new in another one.
  ALTER TABLE batch_samples ADD COLUMN undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1));
  DROP INDEX batch_samples_new_once;
  CREATE UNIQUE INDEX batch_samples_new_once ON batch_samples(sample_id) WHERE origin = 'new' AND undone = 0;
  CREATE INDEX batch_samples_by_sample ON batch_samples(sample_id);
  CREATE INDEX batch_turns_by_turn ON batch_turns(turn_id);

  -- Set when something that a version learnt from was deleted or excluded afterwards.
  ALTER TABLE versions ADD COLUMN tainted TEXT CHECK (tainted IN ('deleted', 'excluded'));
  CREATE INDEX versions_by_parent ON versions(parent);
  -- JSON: the figures of the gate.
  ALTER TABLE promotions ADD COLUMN figures TEXT;
  CREATE INDEX promotions_by_version ON promotions(version);

  -- No version before this one wrote lessons: the table is made anew, with all that a lesson is.
  DROP TABLE lessons;
  CREATE TABLE lessons (
    -- Never given twice: turns.lesson_ids name lessons that may be gone.
    lesson_id INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id TEXT NOT NULL UNIQUE REFERENCES turns(turn_id),
    -- The turn's subject kind, and the repository where it has one.
    kind TEXT NOT NULL,
    workspace TEXT,
    -- How the agent's own instructions begin: another agent's requests are other work.
    system_opening TEXT NOT NULL,
    request TEXT NOT NULL,
    -- '' where there is only a hint in words.
    rewrite TEXT NOT NULL,
    hint TEXT,
    -- deleted: by the user; the row stays, empty, so that a later verdict on the turn does not bring it back.
    state TEXT NOT NULL CHECK (state IN ('active', 'off', 'retired', 'deleted')),
    -- Worded by the user: verdicts leave it alone.
    edited INTEGER NOT NULL DEFAULT 0 CHECK (edited IN (0, 1)),
    created_at_ms INTEGER NOT NULL,
    retired_by TEXT REFERENCES versions(version),
    -- The last version that was asked whether it can do without.
    checked_by TEXT REFERENCES versions(version)
  ) STRICT;
  CREATE INDEX lessons_active ON lessons(lesson_id) WHERE state = 'active';
  CREATE INDEX lessons_by_audience ON lessons(kind, workspace) WHERE state = 'active';
  CREATE INDEX lessons_checked ON lessons(checked_by) WHERE checked_by IS NOT NULL;
  CREATE INDEX turns_with_lessons ON turns(subject_kind, repository_root, created_at_ms) WHERE lesson_ids <> '[]';

  -- What the panel and the intake ask for all the time, counted as it happens: no query counts a million rows,
  -- and as triggers no statement can forget it. What is deleted later has still been done.
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counters VALUES
    ('served', (SELECT count(*) FROM turns WHERE state IN ('open', 'settled'))),
    ('queued', (SELECT count(*) FROM observations WHERE state = 'queued')),
    ('placed', (SELECT count(*) FROM observations WHERE state <> 'queued')),
    ('judged', (SELECT count(*) FROM verdicts)),
    ('trained', (SELECT count(*) FROM batches WHERE state = 'trained'));
  CREATE TRIGGER count_served AFTER UPDATE OF state ON turns
    WHEN OLD.state = 'running' AND NEW.state IN ('open', 'settled')
    BEGIN UPDATE counters SET value = value + 1 WHERE name = 'served'; END;
  CREATE TRIGGER count_reported AFTER INSERT ON observations
    BEGIN
      UPDATE counters SET value = value + 1 WHERE name = iif(NEW.state = 'queued', 'queued', 'placed');
    END;
  CREATE TRIGGER count_placed AFTER UPDATE OF state ON observations
    WHEN OLD.state = 'queued' AND NEW.state <> 'queued'
    BEGIN
      UPDATE counters SET value = value - 1 WHERE name = 'queued';
      UPDATE counters SET value = value + 1 WHERE name = 'placed';
    END;
  CREATE TRIGGER count_dropped AFTER DELETE ON observations WHEN OLD.state = 'queued'
    BEGIN UPDATE counters SET value = value - 1 WHERE name = 'queued'; END;
  CREATE TRIGGER count_judged AFTER INSERT ON verdicts
    BEGIN UPDATE counters SET value = value + 1 WHERE name = 'judged'; END;
  CREATE TRIGGER count_trained AFTER UPDATE OF state ON batches
    WHEN OLD.state <> 'trained' AND NEW.state = 'trained'
    BEGIN UPDATE counters SET value = value + 1 WHERE name = 'trained'; END;
  `;
