/** Format 3: what the panel's pages ask for. */
export const MIGRATION_3 = `
  -- Answered turns, counted without reading a turn.
  CREATE INDEX turns_answered ON turns(kind) WHERE state IN ('open', 'settled');

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
  `;
