/** The tables of format 1. Released, and never edited. */
export const MIGRATION_1 = `
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE turns (
    turn_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions(session_id),
    kind TEXT NOT NULL CHECK (kind IN ('main', 'side')),
    learnable INTEGER NOT NULL CHECK (learnable IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('running', 'open', 'settled', 'failed')),
    created_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    messages TEXT NOT NULL,
    prompt_ids BLOB NOT NULL,
    version TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_kind TEXT GENERATED ALWAYS AS (subject ->> '$.kind') VIRTUAL,
    repository_root TEXT GENERATED ALWAYS AS (subject ->> '$.repositoryRoot') VIRTUAL,
    response_ids BLOB,
    behaviour_logprobs BLOB,
    text TEXT,
    finish_reason TEXT,
    -- The version that the engine says it used; version is what the pointer named when the turn began.
    answered_by TEXT,
    error_code TEXT,
    -- Why no next state is to come, where that is known: cleared, overwritten, expired.
    closed_reason TEXT
  ) STRICT;
  CREATE INDEX turns_by_time ON turns(created_at_ms);
  CREATE INDEX turns_open ON turns(state, created_at_ms) WHERE state IN ('running', 'open');
  CREATE INDEX turns_by_repository ON turns(repository_root, created_at_ms) WHERE repository_root IS NOT NULL;

  -- The intake queue. An observation is acknowledged once its row is committed.
  CREATE TABLE observations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    observation_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'attached', 'unmatched', 'ignored')),
    note TEXT
  ) STRICT;
  CREATE INDEX observations_queued ON observations(seq) WHERE state = 'queued';

  CREATE TABLE next_states (
    next_state_id INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    observation_id TEXT NOT NULL UNIQUE REFERENCES observations(observation_id),
    kind TEXT NOT NULL CHECK (kind IN ('user_reply','user_edit','commit','patch_review','thumb','terminal',
      'task','test_run','diagnostics','tool_result','git','screen')),
    observed_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX next_states_by_turn ON next_states(turn_id);

  -- The judge's queue: one row a turn that has something new to be judged.
  CREATE TABLE judge_queue (
    turn_id TEXT PRIMARY KEY REFERENCES turns(turn_id),
    due_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX judge_queue_due ON judge_queue(due_at_ms);

  CREATE TABLE verdicts (
    turn_id TEXT PRIMARY KEY REFERENCES turns(turn_id),
    score INTEGER CHECK (score IN (-1, 0, 1)),
    decided_by TEXT NOT NULL,
    decided_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE evidence (
    evidence_id INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    source TEXT NOT NULL,
    observation_id TEXT,
    score INTEGER CHECK (score IN (-1, 0, 1)),
    rank INTEGER NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX evidence_by_turn ON evidence(turn_id);
  CREATE TABLE votes (
    vote_id INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    score INTEGER CHECK (score IN (-1, 0, 1)),
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    raw TEXT NOT NULL,
    latency_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX votes_by_turn ON votes(turn_id);
  CREATE TABLE hints (
    turn_id TEXT PRIMARY KEY REFERENCES turns(turn_id),
    kind TEXT NOT NULL CHECK (kind IN ('rewrite', 'words')),
    text TEXT NOT NULL
  ) STRICT;

  CREATE TABLE samples (
    sample_id TEXT PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    score INTEGER CHECK (score IN (-1, 0, 1)),
    hint_kind TEXT,
    hint_text TEXT,
    state TEXT NOT NULL CHECK (state IN ('ready', 'batched', 'trained', 'held')),
    created_at_ms INTEGER NOT NULL,
    batch_id TEXT REFERENCES batches(batch_id)
  ) STRICT;
  CREATE INDEX samples_by_state ON samples(state, created_at_ms);
  CREATE UNIQUE INDEX samples_by_turn ON samples(turn_id);

  CREATE TABLE batches (
    batch_id TEXT PRIMARY KEY,
    version TEXT NOT NULL UNIQUE,
    parent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('building', 'submitted', 'trained', 'failed')),
    created_at_ms INTEGER NOT NULL,
    manifest TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT
  ) STRICT;
  -- Versions are made one after another: at most one batch is under way.
  CREATE UNIQUE INDEX batches_one_open ON batches((1)) WHERE state IN ('building', 'submitted');
  -- Every sample a batch held, new or replayed: the lineage from sample to version.
  CREATE TABLE batch_samples (
    batch_id TEXT NOT NULL REFERENCES batches(batch_id),
    sample_id TEXT NOT NULL REFERENCES samples(sample_id),
    origin TEXT NOT NULL CHECK (origin IN ('new', 'replay')),
    PRIMARY KEY (batch_id, sample_id)
  ) STRICT;
  -- A sample is new in exactly one batch: it cannot be trained as new twice.
  CREATE UNIQUE INDEX batch_samples_new_once ON batch_samples(sample_id) WHERE origin = 'new';

  CREATE TABLE versions (
    version TEXT PRIMARY KEY,
    parent TEXT,
    state TEXT NOT NULL CHECK (state IN ('training', 'trained', 'serving', 'retired', 'failed')),
    batch_id TEXT REFERENCES batches(batch_id),
    folder TEXT,
    adapter_sha256 TEXT,
    metrics TEXT,
    created_at_ms INTEGER NOT NULL,
    served_at_ms INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX versions_one_serving ON versions(state) WHERE state = 'serving';

  CREATE TABLE promotions (
    promotion_id INTEGER PRIMARY KEY,
    version TEXT NOT NULL REFERENCES versions(version),
    decided_at_ms INTEGER NOT NULL,
    promoted INTEGER NOT NULL CHECK (promoted IN (0, 1)),
    reason TEXT NOT NULL
  ) STRICT;

  CREATE TABLE lessons (
    lesson_id INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL REFERENCES turns(turn_id),
    request TEXT NOT NULL,
    rewrite TEXT NOT NULL,
    hint TEXT,
    state TEXT NOT NULL CHECK (state IN ('active', 'off', 'retired')),
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE anchors (
    anchor_id INTEGER PRIMARY KEY,
    prompt_ids BLOB NOT NULL,
    response_ids BLOB NOT NULL,
    base_top TEXT NOT NULL
  ) STRICT;

  INSERT INTO versions(version, parent, state, created_at_ms, served_at_ms)
    VALUES ('policy@v0', NULL, 'serving', unixepoch() * 1000, unixepoch() * 1000);
  `;
