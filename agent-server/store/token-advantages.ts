/** What the last training step of a sample was told of each token: the batch's folder does not outlive the step. */
import { z } from 'zod';
import { BatchId, SampleId } from '../protocol/ids.ts';
import { json } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';
import type { SampleAdvantages } from './version-types.ts';

/** Rows that are kept, two a sample at most: of an agent's answers some 20 MB. */
const MAX_KEPT = 2_000;

const Tokens = z.array(
  z.tuple([z.number().int(), z.number().nullable(), z.number(), z.number().int().nullable(), z.number()]),
);
const Row = z
  .object({
    sample_id: SampleId,
    role: z.enum(['response', 'demonstration']),
    batch_id: BatchId,
    tokens: json(Tokens),
  })
  .transform(
    (row): SampleAdvantages => ({
      sampleId: row.sample_id,
      role: row.role,
      batchId: row.batch_id,
      tokens: row.tokens.map(([id, advantage, weight, other, otherAdvantage]) => ({
        id,
        advantage,
        weight,
        other: other === null ? null : { id: other, advantage: otherAdvantage },
      })),
    }),
  );

export function tokenAdvantageQueries(db: Database): Pick<Store, 'tokenAdvantages'> {
  return {
    tokenAdvantages: (sampleId) =>
      db.all(
        Row,
        'SELECT sample_id, role, batch_id, tokens FROM token_advantages WHERE sample_id = ? ORDER BY seq',
        sampleId,
      ),
  };
}

/** Replaces what an earlier step was told of these samples, and drops the oldest beyond the bound. */
export function keepAdvantages(db: Database, kept: readonly SampleAdvantages[]): void {
  for (const { sampleId, role, batchId, tokens } of kept) {
    const rows: z.infer<typeof Tokens> = tokens.map(({ id, advantage, weight, other }) => [
      id,
      advantage === null ? null : rounded(advantage),
      rounded(weight),
      other?.id ?? null,
      rounded(other?.advantage ?? 0),
    ]);
    db.run(
      'INSERT OR REPLACE INTO token_advantages(sample_id, role, batch_id, tokens) VALUES (?, ?, ?, ?)',
      sampleId,
      role,
      batchId,
      JSON.stringify(rows),
    );
  }
  db.run('DELETE FROM token_advantages WHERE seq <= (SELECT max(seq) FROM token_advantages) - ?', MAX_KEPT);
}

/** To four places: it is looked at, not computed with. */
function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
