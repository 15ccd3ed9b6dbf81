/** Format 3: what the panel's pages ask for, and when a kind of request was corrected last. */
export const MIGRATION_3 = `
  -- Answered turns that there are, counted as they come and go. An index over their state would do it too, but would
  -- be taken for lists that are by age.
  INSERT INTO counters VALUES ('answered', (SELECT count(*) FROM turns WHERE state IN ('open', 'settled')));
  CREATE TRIGGER count_answered AFTER UPDATE OF state ON turns
    WHEN OLD.state NOT IN ('open', 'settled') AND NEW.state IN ('open', 'settled')
    BEGIN UPDATE counters SET value = value + 1 WHERE name = 'answered'; END;
  CREATE TRIGGER count_imported AFTER INSERT ON turns WHEN NEW.state IN ('open', 'settled')
    BEGIN UPDATE counters SET value = value + 1 WHERE name = 'answered'; END;
  CREATE TRIGGER count_forgotten AFTER DELETE ON turns WHEN OLD.state IN ('open', 'settled')
    BEGIN UPDATE counters SET value = value - 1 WHERE name = 'answered'; END;

  -- What the last training step of a sample was told of each token; the batch's folder is deleted after the step.
  CREATE TABLE token_advantages (
    seq INTEGER PRIMARY KEY,
    sample_id TEXT NOT NULL REFERENCES samples(sample_id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('response', 'demonstration')),
    batch_id TEXT NOT NULL REFERENCES batches(batch_id),
    -- JSON: [[token, advantage or null, weight, other token or null, its advantage], ...]
    tokens TEXT NOT NULL,
    UNIQUE (sample_id, role)
  ) STRICT;

  CREATE INDEX lessons_by_correction ON lessons(kind, workspace, created_at_ms);
  `;
