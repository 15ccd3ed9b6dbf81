/** What comparisons ("is it better for me?") found, kept so that the panel can draw it. */
import { z } from 'zod';
import { EvaluationReport } from '../protocol/promotion.ts';
import { json } from './codec.ts';
import type { Database } from './database.ts';
import type { Store } from './store.ts';

/** Older ones are of versions that nobody asks about any more. */
const MAX_KEPT = 20;

const Row = z.object({ at_ms: z.number(), report: json(EvaluationReport) });

export function comparisonQueries(db: Database): Pick<Store, 'addComparison' | 'comparisons'> {
  return {
    addComparison: (report, atMs) => {
      db.write(['comparisons'], () => {
        db.run('INSERT INTO comparisons(at_ms, report) VALUES (?, ?)', atMs, JSON.stringify(report));
        db.run(
          'DELETE FROM comparisons WHERE comparison_id <= (SELECT max(comparison_id) FROM comparisons) - ?',
          MAX_KEPT,
        );
      });
    },

    comparisons: (limit) =>
      db
        .all(Row, 'SELECT at_ms, report FROM comparisons ORDER BY comparison_id DESC LIMIT ?', limit)
        .map(({ at_ms, report }) => ({ at: new Date(at_ms).toISOString(), report })),
  };
}
