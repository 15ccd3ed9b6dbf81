/** Format 4: what comparisons ("is it better for me?") found. Figures alone; not a word of the user's. */
export const MIGRATION_4 = `
  CREATE TABLE comparisons (
    comparison_id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    -- JSON of an EvaluationReport
    report TEXT NOT NULL
  ) STRICT;
  `;
