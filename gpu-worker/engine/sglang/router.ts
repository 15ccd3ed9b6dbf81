/**
 * sglang-router before several engines: which ones it may send requests to is told to it as they come and go. It sends
 * on /generate and nothing that changes an engine, so adapters are fleet.ts's to load.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { call, callJson } from './client.ts';
import { ForeignServer, type ServerEndpoint } from './foreign-server.ts';

const START_LIMIT_MS = 60_000;
/** It asks an engine for its health and its model before it takes it. */
const ADD_LIMIT_MS = 30_000;
const REMOVE_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 100;

const Workers = z.object({
  workers: z.array(z.object({ id: z.string(), url: z.string(), is_healthy: z.boolean() })),
});

/** Told of every engine by `add`; none are named at the start, so that none serves before it has its adapters. */
const FLAGS = [
  ...['--policy', 'cache_aware'],
  // An engine that is killed is found out by the first request that fails, and by this.
  ...[
    '--health-check-interval-secs',
    '2',
    '--health-failure-threshold',
    '2',
    '--health-success-threshold',
    '1',
  ],
  ...['--cb-failure-threshold', '3', '--cb-timeout-duration-secs', '5'],
  ...['--worker-startup-check-interval', '1', '--worker-startup-timeout-secs', '30'],
  // Its metrics would listen on every address, always on the same port.
  ...['--prometheus-host', '127.0.0.1', '--prometheus-port', '{port}'],
  ...['--log-level', 'warn'],
];

export interface RouterOptions {
  /** With sglang-router. */
  python: string;
  /** Its own, and that of every engine: it hands on the header that it was sent, behind the engine's own. */
  key: string;
  env: Readonly<Record<string, string>>;
  log: (line: string) => void;
}

export class Router {
  readonly #server: ForeignServer;
  /** Engines that it may send requests to. */
  readonly #wanted = new Map<string, ServerEndpoint>();
  /** Those of them that it has taken, since it was last started. */
  readonly #taken = new Set<string>();
  readonly #log: (line: string) => void;

  constructor({ python, key, env, log }: RouterOptions) {
    this.#log = log;
    this.#server = new ForeignServer({
      name: 'router',
      python,
      module: 'sglang_router.launch_router',
      flags: FLAGS,
      readyPath: '/liveness',
      key,
      adminKey: 'none',
      readyTimeoutMs: START_LIMIT_MS,
      env,
      log,
    });
    this.#server.onStateChange(({ state }) => {
      this.#taken.clear();
      if (state !== 'ready') return;
      for (const engine of this.#wanted.values())
        this.#tell(engine).catch((error) => this.#log(`router: ${error.message}`));
    });
  }

  start(): void {
    this.#server.start();
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  pid(): number | null {
    return this.#server.pid();
  }

  /** Null while it is away or has no engine: requests then go straight to one. */
  endpoint(): ServerEndpoint | null {
    return this.#taken.size > 0 ? this.#server.endpoint() : null;
  }

  /** Resolves once it sends requests there; at once while it is away, as it is told when it comes. */
  async add(engine: ServerEndpoint): Promise<void> {
    this.#wanted.set(engine.url, engine);
    await this.#tell(engine);
  }

  /** From the call on it is told nothing of this engine; resolves when it has let go of it, or is away. */
  async remove(url: string): Promise<void> {
    this.#wanted.delete(url);
    this.#taken.delete(url);
    const router = this.#server.endpoint();
    if (router === null) return;
    const signal = AbortSignal.timeout(REMOVE_LIMIT_MS);
    for (const { id } of await this.#workersAt(router, url, signal))
      await call(router, { method: 'DELETE', path: `/workers/${id}`, access: 'use' }, signal);
  }

  /** Throws `engine_unavailable` where it does not take the engine in time. */
  async #tell(engine: ServerEndpoint): Promise<void> {
    const router = this.#server.endpoint();
    if (router === null) return;
    const signal = AbortSignal.timeout(ADD_LIMIT_MS);
    const body = { url: engine.url, ...(engine.key === null ? {} : { api_key: engine.key }) };
    await call(router, { method: 'POST', path: '/workers', body, access: 'use' }, signal);
    for (;;) {
      const [found] = await this.#workersAt(router, engine.url, signal);
      if (found?.is_healthy) break;
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch((cause) => {
        throw new ApprenticeError(
          'engine_unavailable',
          `The router did not take the engine at ${engine.url} within ${ADD_LIMIT_MS / 1000} s.`,
          'See logs/engine.log.',
          { cause },
        );
      });
    }
    if (this.#wanted.has(engine.url) && this.#server.endpoint()?.url === router.url)
      this.#taken.add(engine.url);
  }

  async #workersAt(router: ServerEndpoint, url: string, signal: AbortSignal) {
    const asked = { method: 'GET', path: '/workers', access: 'use' } as const;
    return (await callJson(router, asked, Workers, signal)).workers.filter((one) => one.url === url);
  }
}
