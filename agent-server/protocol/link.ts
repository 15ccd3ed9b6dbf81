/**
 * Messages on the `ws` link between agent-server (client) and gpu-worker (server), path `/link`.
 * Both ends parse with these schemas; a message that does not parse closes the link with code 4400.
 * Every request is idempotent: `train` of a batch whose version folder is complete answers `trained` at once.
 */
import { z } from 'zod';
import { ErrorCode } from './errors.ts';
import { BatchId, WeightVersion } from './ids.ts';
import { TrainMetrics } from './training.ts';

export const LINK_PROTOCOL = 1;

export const ProcessState = z.object({
  state: z.enum(['starting', 'ready', 'busy', 'restarting', 'failed']),
  /** How often it has been restarted since the worker started. */
  restarts: z.number().int(),
  detail: z.string().nullable(),
});
export type ProcessState = z.infer<typeof ProcessState>;

export const ToWorker = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), protocol: z.literal(LINK_PROTOCOL) }),
  /** `folder`: absolute path of the batch folder, on the disk both processes share. */
  z.object({ type: z.literal('train'), batchId: BatchId, folder: z.string() }),
  z.object({ type: z.literal('cancel'), batchId: BatchId }),
  z.object({ type: z.literal('ping'), at: z.number() }),
]);
export type ToWorker = z.infer<typeof ToWorker>;

export const FromWorker = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.literal(LINK_PROTOCOL),
    engine: ProcessState,
    trainer: ProcessState,
    /** Adapters complete on disk. */
    versions: z.array(WeightVersion),
    /** A new value means that the engine lost its adapters and they must be loaded again. */
    engineEpoch: z.string(),
  }),
  z.object({
    type: z.literal('status'),
    engine: ProcessState,
    trainer: ProcessState,
    engineEpoch: z.string(),
  }),
  z.object({
    type: z.literal('progress'),
    batchId: BatchId,
    phase: z.enum(['loading', 'training', 'saving']),
    /** 0 to 1. */
    fraction: z.number(),
  }),
  z.object({
    type: z.literal('trained'),
    batchId: BatchId,
    version: WeightVersion,
    folder: z.string(),
    adapterSha256: z.string(),
    metrics: TrainMetrics,
  }),
  z.object({ type: z.literal('failed'), batchId: BatchId, code: ErrorCode, message: z.string() }),
  z.object({ type: z.literal('pong'), at: z.number() }),
]);
export type FromWorker = z.infer<typeof FromWorker>;

/** GET /worker/tokenizer: the files the gateway needs to render and tokenise exactly as the engine does. */
export const TokenizerFiles = z.object({
  /** Parsed tokenizer.json. */
  tokenizer: z.record(z.string(), z.unknown()),
  /** Parsed tokenizer_config.json. */
  config: z.record(z.string(), z.unknown()),
  /** Jinja source. */
  chatTemplate: z.string(),
  /** Ids that end a response. */
  eosTokenIds: z.array(z.number().int()),
  contextLength: z.number().int(),
});
export type TokenizerFiles = z.infer<typeof TokenizerFiles>;
