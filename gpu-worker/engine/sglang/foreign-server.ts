/**
 * A server that the worker starts and that is not ours: SGLang, sglang-router. Supervised as our own Python processes
 * are, on a free loopback port, with keys that nobody else has. What is asked of it is client.ts.
 */
import { randomBytes } from 'node:crypto';
import { delimiter } from 'node:path';
import { z } from 'zod';
import type { ProcessState } from '../../../agent-server/protocol/link.ts';
import { PythonProcess, pythonFolder } from '../../python-process.ts';

/** Where a server is, and what opens it. */
export interface ServerEndpoint {
  /** Origin without a slash at the end. */
  url: string;
  /** Bearer of requests; null: it asks for none. */
  key: string | null;
  /** Bearer of what changes the server; null: `key` is. */
  adminKey: string | null;
}

/** One server that answers as SGLang does, started here or there already (attached-server.ts). */
export interface EngineServer {
  state(): ProcessState;
  /** Null unless it is ready. */
  endpoint(): ServerEndpoint | null;
  /** The process while it lives; null of one that somebody else runs. */
  pid(): number | null;
  /** Called at every change; a server that is ready anew has lost its adapters. Returns the way to stop that. */
  onStateChange(listener: (state: ProcessState) => void): () => void;
  start(): void;
  stop(): Promise<void>;
}

const Ready = z.object({ type: z.literal('ready'), port: z.number().int().min(1).max(65_535) });

export interface ForeignServerOptions {
  /** For messages and the log: `SGLang`, `router`. */
  name: string;
  /** With the module's packages. */
  python: string;
  /** Run as `python -m module flags`. */
  module: string;
  flags: readonly string[];
  /** GET of it says 200 when it answers, without a key. */
  readyPath: string;
  /** Bearer of requests. */
  key: string;
  /** Has it another key for what changes it? */
  adminKey: 'own' | 'none';
  readyTimeoutMs: number;
  env: Readonly<Record<string, string>>;
  log: (line: string) => void;
}

/** 256 bits that nobody else knows. */
export function newKey(): string {
  return randomBytes(32).toString('base64url');
}

export class ForeignServer implements EngineServer {
  readonly #process: PythonProcess<z.infer<typeof Ready>>;
  readonly #key: string;
  readonly #adminKey: string | null;
  /** SGLang writes its arguments into its log, keys and all. */
  readonly #withoutKeys: (text: string) => string;
  #port: number | null = null;

  constructor(options: ForeignServerOptions) {
    const { name, python, module, flags, readyPath, readyTimeoutMs, log } = options;
    this.#key = options.key;
    this.#adminKey = options.adminKey === 'own' ? newKey() : null;
    const keys = [this.#key, this.#adminKey ?? this.#key];
    this.#withoutKeys = (said) => keys.reduce((text, key) => text.replaceAll(key, '(key)'), said);
    const secrets = [
      '--secret=--api-key=APPRENTICE_SERVER_KEY',
      ...(this.#adminKey === null ? [] : ['--secret=--admin-api-key=APPRENTICE_SERVER_ADMIN_KEY']),
    ];
    this.#process = new PythonProcess({
      name,
      python,
      module: 'apprentice_worker.foreign_server',
      args: ['--ready-path', readyPath, ...secrets, module, ...flags],
      event: Ready,
      unavailable: 'engine_unavailable',
      niceness: 0,
      readyTimeoutMs,
      env: {
        ...options.env,
        PYTHONPATH: [pythonFolder(), options.env['PYTHONPATH'] ?? process.env['PYTHONPATH'] ?? []]
          .flat()
          .join(delimiter),
        APPRENTICE_SERVER_KEY: this.#key,
        ...(this.#adminKey === null ? {} : { APPRENTICE_SERVER_ADMIN_KEY: this.#adminKey }),
      },
      log: (line) => log(`${name}: ${this.#withoutKeys(line)}`),
      onEvent: ({ port }) => {
        this.#port = port;
      },
      onExit: () => {
        this.#port = null;
      },
    });
  }

  state(): ProcessState {
    return this.#told(this.#process.state());
  }

  pid(): number | null {
    return this.#process.pid();
  }

  endpoint(): ServerEndpoint | null {
    if (this.#port === null) return null;
    return { url: `http://127.0.0.1:${this.#port}`, key: this.#key, adminKey: this.#adminKey };
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    return this.#process.onStateChange((state) => listener(this.#told(state)));
  }

  start(): void {
    this.#process.start();
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  /** The last line of its log is among what a state tells. */
  #told(state: ProcessState): ProcessState {
    return { ...state, detail: state.detail === null ? null : this.#withoutKeys(state.detail) };
  }
}
