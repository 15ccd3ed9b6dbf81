/**
 * The engine as the routes need it, token ids in, events out, and as the worker runs it. `embedded-engine.ts` is our
 * own; `sglang/` stands before servers of SGLang.
 */
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { EngineReady, RequestEvent, Submit } from './messages.ts';

export interface TokenEngine {
  /** The model's folder. */
  readonly model: string;
  /** What the model said of itself; null until it is loaded for the first time. */
  readonly info: EngineReady | null;
  /** Loaded adapters: name to folder. */
  readonly adapters: ReadonlyMap<string, string>;
  /** Requests inside, running or waiting. */
  readonly inFlight: number;
  /** Those of them whose prompt has been read. */
  readonly running: number;
  state(): ProcessState;
  /**
   * Runs one request; ends after its `finish` event. Closing the iterator or aborting `signal` frees its place
   * in the engine. Throws engine_unavailable, queue_full, adapter_not_loaded, invalid_request.
   */
  generate(request: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined>;
  /** Ends a request early; it finishes with reason `abort`. Unknown ids are nothing to do. */
  abort(rid: string): void;
  abortAll(): void;
  /**
   * Throws adapter_invalid when the folder is not a LoRA adapter that fits this model; nothing changes then. A name
   * that is loaded from the same folder already is nothing to do; from another one it is refused.
   */
  loadAdapter(name: string, folder: string, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when no request uses the adapter any more and it is gone; new requests for it are refused from the
   * call on. Throws adapter_not_loaded.
   */
  unloadAdapter(name: string, signal: AbortSignal): Promise<void>;
  /** Drops every prefix that requests of a scope left in the cache. */
  forget(scope: string, signal: AbortSignal): Promise<void>;
  /** Running requests stand still, with their cache, until `resume`. */
  pause(signal: AbortSignal): Promise<void>;
  resume(signal: AbortSignal): Promise<void>;
  /** Replaces the base's weights by those of a folder of the same architecture, between requests. */
  updateWeights(folder: string, signal: AbortSignal): Promise<void>;
}

/** What starts, watches and ends an engine. */
export interface WorkerEngine extends TokenEngine {
  /** A new value means that every adapter is gone and has to be loaded again. */
  readonly epoch: string;
  /** Resolves once it answers. It goes on being started again after a rejection. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Calls `listener` at every change; returns the way to stop that. */
  onStateChange(listener: (state: ProcessState) => void): () => void;
}
