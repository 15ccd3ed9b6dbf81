/**
 * An engine of ours as the worker sees it, our Python or llama.cpp in a process of its own: requests as event streams,
 * commands as promises, crashes as errors. Tokens only; text lives in `tokenizer.ts` and HTTP in `routes.ts`.
 */
import { randomUUID } from 'node:crypto';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import { LineProcess, type Program } from '../line-process.ts';
import { pythonProgram } from '../python-process.ts';
import { type Command, EngineEvent, type EngineReady, type RequestEvent, type Submit } from './messages.ts';
import type { WorkerEngine } from './token-engine.ts';

/** Requests that may be in the engine at once, running or waiting. */
const MAX_REQUESTS = 256;
/** Loading an adapter or new weights reads a disk; beyond this something hangs. */
const COMMAND_TIMEOUT_MS = 120_000;

export interface EngineOptions {
  python: string;
  /** A Hugging Face model folder. */
  model: string;
  /** Math threads; null: all cores. */
  threads: number | null;
  /** Requests decoded together. */
  maxRunning: number;
  /** torch's name of it; `cpu` where none is given. */
  device?: string;
  /** Rows of a pass up to which tokens are guessed (python/apprentice_worker/drafts.py); 0: none are. */
  draftRows?: number;
  log: (line: string) => void;
}

/** The program that speaks messages.ts. */
export interface EngineProcess {
  /** A Hugging Face model folder. */
  model: string;
  program: Program;
  /** Without it, five minutes. */
  readyTimeoutMs?: number;
  log: (line: string) => void;
}

interface Stream {
  /** Its first event has come. */
  started: boolean;
  push(event: RequestEvent): void;
  fail(error: ApprenticeError): void;
}

type Reply = Extract<EngineEvent, { type: 'reply' }>;
/** A command without the `id` that joins it to its reply. */
type Ask<C = Command> = C extends { id: string } ? Omit<C, 'id'> : never;

export class EmbeddedEngine implements WorkerEngine {
  readonly model: string;
  readonly #process: LineProcess<EngineEvent>;
  readonly #streams = new Map<string, Stream>();
  readonly #replies = new Map<
    string,
    { resolve(reply: Reply): void; reject(error: ApprenticeError): void }
  >();
  readonly #adapters = new Map<string, string>();
  #epoch = randomUUID();
  #info: EngineReady | null = null;

  constructor({ model, program, readyTimeoutMs, log }: EngineProcess) {
    this.model = model;
    this.#process = new LineProcess({
      name: 'engine',
      ...program,
      ...(readyTimeoutMs !== undefined && { readyTimeoutMs }),
      event: EngineEvent,
      unavailable: 'engine_unavailable',
      niceness: 0,
      log,
      onEvent: (event) => this.#onEvent(event),
      onExit: (error) => this.#onExit(error),
    });
  }

  /** A new value means that every adapter is gone and has to be loaded again. */
  get epoch(): string {
    return this.#epoch;
  }

  get info(): EngineReady | null {
    return this.#info;
  }

  get adapters(): ReadonlyMap<string, string> {
    return this.#adapters;
  }

  get inFlight(): number {
    return this.#streams.size;
  }

  get running(): number {
    let count = 0;
    for (const stream of this.#streams.values()) if (stream.started) count += 1;
    return count;
  }

  state(): ProcessState {
    return this.#process.state();
  }

  /** The process while it lives. */
  pid(): number | null {
    return this.#process.pid();
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    return this.#process.onStateChange(listener);
  }

  /** Starts the process and resolves once the model is loaded. It goes on being restarted after a rejection. */
  async start(signal: AbortSignal): Promise<void> {
    this.#process.start();
    await this.#process.whenReady(signal);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async *generate(request: Submit, signal: AbortSignal): AsyncGenerator<RequestEvent, void, undefined> {
    signal.throwIfAborted();
    if (this.#streams.has(request.rid)) {
      throw new ApprenticeError(
        'invalid_request',
        `Request id ${request.rid} is in use.`,
        'Send another rid.',
      );
    }
    if (this.#streams.size >= MAX_REQUESTS) {
      throw new ApprenticeError(
        'queue_full',
        `${MAX_REQUESTS} requests are waiting already.`,
        'Try again later.',
      );
    }
    const events: RequestEvent[] = [];
    let failure: unknown = null;
    let wake: () => void = () => {};
    const stream: Stream = {
      started: false,
      push: (event) => {
        stream.started = true;
        events.push(event);
        wake();
      },
      fail: (error) => {
        failure = error;
        wake();
      },
    };
    this.#streams.set(request.rid, stream);
    const onAbort = () => {
      failure = signal.reason;
      wake();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    let finished = false;
    try {
      this.#process.send({ type: 'submit', ...request } satisfies Command);
      while (!finished) {
        const event = events.shift();
        if (event) {
          finished = event.type === 'finish';
          if (event.type === 'finish' && event.reason === 'error') throw refusal(event);
          yield event;
        } else if (failure) {
          throw failure;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#streams.delete(request.rid);
      if (!finished) this.abort(request.rid);
    }
  }

  abort(rid: string): void {
    if (this.state().state === 'ready') this.#process.send({ type: 'abort', rid } satisfies Command);
  }

  abortAll(): void {
    for (const rid of this.#streams.keys()) this.abort(rid);
  }

  async loadAdapter(name: string, folder: string, signal: AbortSignal): Promise<void> {
    if (this.#adapters.get(name) === folder) return;
    await this.#ask({ type: 'load_adapter', name, folder }, signal);
    this.#adapters.set(name, folder);
  }

  async unloadAdapter(name: string, signal: AbortSignal): Promise<void> {
    const gone = this.#ask({ type: 'unload_adapter', name }, signal);
    // From here on the process refuses new requests for it, however long the running ones take.
    this.#adapters.delete(name);
    await gone;
  }

  async forget(scope: string, signal: AbortSignal): Promise<void> {
    await this.#ask({ type: 'forget', scope }, signal);
  }

  async pause(signal: AbortSignal): Promise<void> {
    await this.#ask({ type: 'pause' }, signal);
  }

  async resume(signal: AbortSignal): Promise<void> {
    await this.#ask({ type: 'continue' }, signal);
  }

  async updateWeights(folder: string, signal: AbortSignal): Promise<void> {
    await this.#ask({ type: 'update_weights', folder }, signal);
  }

  async #ask(command: Ask, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(COMMAND_TIMEOUT_MS)]);
    limit.throwIfAborted();
    const id = randomUUID();
    let onAbort: () => void = () => {};
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        onAbort = () => reject(limit.reason);
        limit.addEventListener('abort', onAbort, { once: true });
        this.#replies.set(id, { resolve, reject });
        this.#process.send({ ...command, id });
      });
      if (!reply.ok) {
        throw new ApprenticeError(
          reply.code ?? 'internal',
          reply.error ?? 'The engine failed.',
          'Nothing was changed.',
        );
      }
    } finally {
      limit.removeEventListener('abort', onAbort);
      this.#replies.delete(id);
    }
  }

  #onEvent(event: EngineEvent): void {
    switch (event.type) {
      case 'ready':
        this.#info = event;
        this.#epoch = randomUUID();
        return;
      case 'reply':
        this.#replies.get(event.id)?.resolve(event);
        return;
      default:
        // Events of a request that was given up a moment ago have nobody to go to.
        this.#streams.get(event.rid)?.push(event);
    }
  }

  #onExit(error: ApprenticeError): void {
    this.#adapters.clear();
    for (const stream of this.#streams.values()) stream.fail(error);
    for (const reply of this.#replies.values()) reply.reject(error);
  }
}

const REMEDY = 'See logs/engine.log.';

function refusal(event: Extract<EngineEvent, { type: 'finish' }>): ApprenticeError {
  const code = event.code ?? 'internal';
  const remedy = code === 'adapter_not_loaded' ? 'Load it first with /load_lora_adapter.' : REMEDY;
  return new ApprenticeError(code, event.message ?? 'The engine failed.', remedy);
}

export function createEngine(options: EngineOptions): EmbeddedEngine {
  const { python, model, maxRunning, log } = options;
  const threads = options.threads === null ? [] : ['--threads', String(options.threads)];
  const device = ['--device', options.device ?? 'cpu'];
  const drafts = options.draftRows === undefined ? [] : ['--draft-rows', String(options.draftRows)];
  const args = ['--model', model, '--max-running', String(maxRunning), ...threads, ...device, ...drafts];
  return new EmbeddedEngine({ model, log, program: pythonProgram(python, 'apprentice_worker.engine', args) });
}
