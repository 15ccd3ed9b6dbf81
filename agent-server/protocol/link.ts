/**
 * Messages on the `ws` link between agent-server (client) and gpu-worker (server), path `/link`: JSON in text frames,
 * pieces of files in binary ones (parcel.ts). Both ends parse with these schemas; a message that does not parse closes
 * the link with code 4400. Every request is idempotent and is sent again after a reconnect: `train` of a batch whose
 * version is complete answers `trained` at once, `put` of a version that is there `held`.
 *
 * Files are pulled by who needs them: the worker reads a batch's from the agent-server, the agent-server a version's
 * from the worker. Who pulls knows what it has, and goes on from there after a cut.
 */
import { z } from 'zod';
import { ErrorCode } from './errors.ts';
import { BatchId, WeightVersion } from './ids.ts';
import { ParcelFiles, ReadRefusal, ReadRequest, Sha256 } from './parcel.ts';
import { TrainMetrics } from './training.ts';

export const LINK_PROTOCOL = 3;

/** Code by which either side says that it could not parse the other. */
export const CLOSE_UNPARSED = 4400;
/** After `refused`: trying again right away is of no use. */
export const CLOSE_REFUSED = 4403;

export const ProcessState = z.object({
  state: z.enum(['starting', 'ready', 'busy', 'restarting', 'failed']),
  /** How often it has been restarted since the worker started. */
  restarts: z.number().int(),
  detail: z.string().nullable(),
});
export type ProcessState = z.infer<typeof ProcessState>;

const Versions = z.array(WeightVersion).max(4096);

export const ToWorker = z.discriminatedUnion('type', [
  /** `owner`: the agent-server's store. A worker holds the weights of one; another's take their place. */
  z.object({ type: z.literal('hello'), protocol: z.number().int(), owner: z.uuid() }),
  z.object({ type: z.literal('train'), batchId: BatchId, files: ParcelFiles }),
  z.object({ type: z.literal('cancel'), batchId: BatchId }),
  /** Have this version. `adapterSha256` as its lineage has it. */
  z.object({ type: z.literal('put'), version: WeightVersion, adapterSha256: Sha256, files: ParcelFiles }),
  /** All other versions, and their moments, are deleted. */
  z.object({ type: z.literal('keep'), versions: Versions }),
  ReadRequest,
  ReadRefusal,
  z.object({ type: z.literal('ping'), at: z.number() }),
]);
export type ToWorker = z.infer<typeof ToWorker>;

const states = {
  engine: ProcessState,
  trainer: ProcessState,
  /** A new value means that the engine lost its adapters and they must be loaded again. */
  engineEpoch: z.string(),
};

export const FromWorker = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.literal(LINK_PROTOCOL),
    /** Name of the base model that it serves and trains. */
    baseModel: z.string().max(500),
    /** Adapters complete on its disk. */
    versions: Versions,
    ...states,
  }),
  /** In place of `welcome`; the link is closed with 4403. */
  z.object({ type: z.literal('refused'), code: ErrorCode, message: z.string().max(2_000) }),
  z.object({ type: z.literal('status'), ...states }),
  /** `ahead`: runs, of whomever, that come before this batch's. At every change, until it is 0. */
  z.object({ type: z.literal('queued'), batchId: BatchId, ahead: z.number().int().min(0) }),
  z.object({
    type: z.literal('progress'),
    batchId: BatchId,
    phase: z.enum(['loading', 'training', 'saving']),
    /** 0 to 1. */
    fraction: z.number(),
  }),
  /** `files`: of the version, to be read. */
  z.object({
    type: z.literal('trained'),
    batchId: BatchId,
    version: WeightVersion,
    files: ParcelFiles,
    adapterSha256: Sha256,
    metrics: TrainMetrics,
  }),
  z.object({ type: z.literal('failed'), batchId: BatchId, code: ErrorCode, message: z.string() }),
  z.object({ type: z.literal('held'), version: WeightVersion }),
  z.object({ type: z.literal('unheld'), version: WeightVersion, code: ErrorCode, message: z.string() }),
  ReadRequest,
  ReadRefusal,
  z.object({ type: z.literal('pong'), at: z.number() }),
]);
export type FromWorker = z.infer<typeof FromWorker>;

/** GET /worker/info: what somebody wants to know who is about to use this worker. */
export const WorkerInfo = z.object({
  linkProtocol: z.number().int(),
  baseModel: z.string().max(500),
  engine: ProcessState,
  trainer: ProcessState,
});
export type WorkerInfo = z.infer<typeof WorkerInfo>;

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
