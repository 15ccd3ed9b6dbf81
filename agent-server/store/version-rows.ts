/** Rows of batches, versions, promotions and anchors, parsed into branded ids. */
import { z } from 'zod';
import { BatchId, WeightVersion } from '../protocol/ids.ts';
import { GateFigures } from '../protocol/promotion.ts';
import { BatchManifest, TrainMetrics } from '../protocol/training.ts';
import { Ids, json } from './codec.ts';
import type * as V from './version-types.ts';

export const BatchRow = z
  .object({
    batch_id: BatchId,
    kind: z.enum(['samples', 'distillation']),
    version: WeightVersion,
    parent: WeightVersion,
    state: z.enum(['building', 'submitted', 'trained', 'failed']),
    created_at_ms: z.number(),
    manifest: json(BatchManifest).nullable(),
    attempts: z.number(),
    error: z.string().nullable(),
  })
  .transform(
    (row): V.Batch => ({
      batchId: row.batch_id,
      kind: row.kind,
      version: row.version,
      parent: row.parent,
      state: row.state,
      createdAtMs: row.created_at_ms,
      manifest: row.manifest,
      attempts: row.attempts,
      error: row.error,
    }),
  );

export const VersionRow = z
  .object({
    version: WeightVersion,
    parent: WeightVersion.nullable(),
    state: z.enum(['training', 'trained', 'serving', 'retired', 'failed']),
    batch_id: BatchId.nullable(),
    folder: z.string().nullable(),
    adapter_sha256: z.string().nullable(),
    metrics: json(TrainMetrics).nullable(),
    created_at_ms: z.number(),
    served_at_ms: z.number().nullable(),
    tainted: z.enum(['deleted', 'excluded']).nullable(),
  })
  .transform(
    (row): V.Version => ({
      version: row.version,
      parent: row.parent,
      state: row.state,
      batchId: row.batch_id,
      folder: row.folder,
      adapterSha256: row.adapter_sha256,
      metrics: row.metrics,
      createdAtMs: row.created_at_ms,
      servedAtMs: row.served_at_ms,
      tainted: row.tainted,
    }),
  );

export const PromotionRow = z
  .object({
    version: WeightVersion,
    promoted: z.number(),
    reason: z.string(),
    figures: json(GateFigures).nullable(),
    decided_at_ms: z.number(),
  })
  .transform(
    (row): V.Promotion => ({
      version: row.version,
      promoted: row.promoted === 1,
      reason: row.reason,
      figures: row.figures,
      decidedAtMs: row.decided_at_ms,
    }),
  );

export const AnchorRow = z
  .object({
    prompt_ids: Ids,
    response_ids: Ids,
    base_top: json(z.array(z.array(z.tuple([z.number(), z.number().int()])))),
  })
  .transform(
    (row): V.Anchor => ({ promptIds: row.prompt_ids, responseIds: row.response_ids, baseTop: row.base_top }),
  );
