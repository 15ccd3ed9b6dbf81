/**
 * The servers behind one engine: which of them answer, and that each of those has every adapter. One that comes gets
 * all of them before it is sent a request; one that goes is left out until it is back. Requests are sglang-engine.ts.
 *
 * *Invariant: a server that requests are sent to has every adapter that is loaded, and the weights that serve.*
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { ApprenticeError, toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { ProcessState } from '../../../agent-server/protocol/link.ts';
import { dropVersions, type GivenWeights, loadInto, post, unloadFrom, updateIn } from './commands.ts';
import type { EngineServer, ServerEndpoint } from './foreign-server.ts';
import type { Router } from './router.ts';

/** A server that could not be made ready is tried again after this. */
const JOIN_AGAIN_MS = 5_000;

interface Member {
  readonly server: EngineServer;
  /** Null until it has all that it needs to answer. */
  joined: ServerEndpoint | null;
}

export class Fleet {
  readonly #members: readonly Member[];
  readonly #router: Router | null;
  readonly #log: (line: string) => void;
  readonly #listeners = new Set<(state: ProcessState) => void>();
  readonly #adapters = new Map<string, string>();
  /** Joining, loading and unloading one after the other: none must miss what another does. */
  #operations: Promise<unknown> = Promise.resolve();
  #epoch = randomUUID();
  #paused = false;
  /** Weights in place of those that servers start with. */
  #weights: GivenWeights | null = null;
  #changing = false;
  #turn = 0;
  #stopped = false;

  constructor(servers: readonly EngineServer[], router: Router | null, log: (line: string) => void) {
    this.#members = servers.map((server) => ({ server, joined: null }));
    this.#router = router;
    this.#log = log;
    for (const member of this.#members) {
      member.server.onStateChange(({ state }) => {
        if (state === 'ready') this.#join(member);
        else this.#leave(member);
      });
    }
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Loaded in every server that answers: name to folder. */
  get adapters(): ReadonlyMap<string, string> {
    return this.#adapters;
  }

  /** What a server must say in its answers; null: anything, as it has the weights that it started with. */
  get label(): string | null {
    return this.#changing ? null : (this.#weights?.label ?? null);
  }

  state(): ProcessState {
    const states = this.#members.map(({ server }) => server.state());
    const restarts = states.reduce((sum, one) => sum + one.restarts, 0);
    const joined = this.#joined().length;
    const away = states.find(({ state }) => state !== 'ready') ?? states[0];
    if (joined === states.length) return { state: 'ready', restarts, detail: null };
    const why = away?.detail ?? null;
    if (joined > 0)
      return {
        state: 'ready',
        restarts,
        detail: `${joined} of ${states.length} engines answer. ${why ?? ''}`.trim(),
      };
    const state = away === undefined || away.state === 'ready' ? 'starting' : away.state;
    return { state, restarts, detail: why };
  }

  onStateChange(listener: (state: ProcessState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#router?.start();
    for (const { server } of this.#members) server.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([this.#router?.stop(), ...this.#members.map(({ server }) => server.stop())]);
  }

  /** Where the next request goes: to the router, else to the servers by turns. Throws `engine_unavailable`. */
  front(): ServerEndpoint {
    const joined = this.#joined();
    const next = joined[this.#turn++ % joined.length];
    if (next === undefined) {
      const { state, detail } = this.state();
      throw new ApprenticeError(
        'engine_unavailable',
        detail ?? `The engine is ${state}.`,
        'Try again in a moment.',
      );
    }
    return (joined.length > 1 ? this.#router?.endpoint() : null) ?? next;
  }

  /** Servers, here or away. */
  get count(): number {
    return this.#members.length;
  }

  /** Of the servers that the worker started and that live. */
  pids(): number[] {
    return this.#members.flatMap(({ server }) => server.pid() ?? []);
  }

  /** The router before them, where there is one: its process, and whether requests go through it now. */
  router(): { pid: number | null; inUse: boolean } | null {
    if (this.#router === null) return null;
    return { pid: this.#router.pid(), inUse: this.#router.endpoint() !== null && this.#joined().length > 1 };
  }

  /** Any one server, for what they all know. Throws `engine_unavailable`. */
  any(): ServerEndpoint {
    const [first] = this.#joined();
    return first ?? this.front();
  }

  /**
   * Resolves when every server that answers has it. One that goes away meanwhile does not count; where one refuses it,
   * the others let go of it again and `adapter_invalid` is thrown.
   */
  async load(name: string, folder: string): Promise<void> {
    await this.#inOrder(async () => {
      this.any();
      const { refused, done } = await this.#each((server) => loadInto(server, name, folder));
      if (refused === null) {
        this.#adapters.set(name, folder);
        return;
      }
      await Promise.allSettled(done.map((server) => unloadFrom(server, name)));
      throw refused;
    });
  }

  /**
   * Takes an adapter out of what is loaded, at once, and out of the servers as soon as `drained` resolves. Throws what a
   * server says that keeps it.
   */
  async withhold(name: string, drained: () => Promise<void>): Promise<void> {
    this.#adapters.delete(name);
    await drained();
    await this.#inOrder(async () => {
      const { refused } = await this.#each((server) => unloadFrom(server, name));
      if (refused) throw refused;
    });
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await this.#command('/pause_generation', { mode: 'in_place' });
  }

  async resume(): Promise<void> {
    this.#paused = false;
    await this.#command('/continue_generation', {});
  }

  /** By the server's own id of it; told to every server, as the router does not say which one has it. */
  async abort(rid: string): Promise<void> {
    const { refused } = await this.#each((server) =>
      post(server, '/abort_request', { rid, abort_all: false }),
    );
    if (refused) throw refused;
  }

  /**
   * Weights of a folder into every server, between `pause_generation` and `continue_generation`. A server that does not
   * take them leaves; where none does, what it said is thrown and the old weights go on.
   */
  async updateWeights(folder: string): Promise<void> {
    await this.#inOrder(async () => {
      const then = this.#paused ? 'stay paused' : 'continue';
      const weights = { folder, label: `${basename(folder)} ${randomUUID()}` };
      this.#changing = true;
      const outcomes = await Promise.all(
        this.#joined().map(async (server) => ({
          server,
          error: await failure(updateIn(server, weights, then)),
        })),
      ).finally(() => {
        this.#changing = false;
      });
      const failed = outcomes.filter(({ error }) => error !== null);
      const [first] = failed;
      if (first?.error && failed.length === outcomes.length) throw first.error;
      this.#weights = weights;
      for (const { server, error } of failed) {
        this.#log(`The engine at ${server.url} has other weights and is left out: ${error?.message}`);
        for (const member of this.#members) if (member.joined === server) this.#leave(member);
      }
    });
  }

  #joined(): ServerEndpoint[] {
    return this.#members.flatMap(({ joined }) => joined ?? []);
  }

  #join(member: Member): void {
    this.#inOrder(async () => {
      const server = member.server.endpoint();
      if (server === null || member.joined !== null || this.#stopped) return;
      // Of a server that was here before this worker: a name would stand for other weights.
      await dropVersions(server);
      if (this.#weights !== null) await updateIn(server, this.#weights, 'continue');
      if (this.#joined().length === 0) {
        this.#adapters.clear();
        this.#epoch = randomUUID();
      }
      for (const [name, folder] of this.#adapters) await loadInto(server, name, folder);
      if (this.#paused) await post(server, '/pause_generation', { mode: 'in_place' });
      if (member.server.endpoint()?.url !== server.url) return;
      member.joined = server;
      await this.#router?.add(server).catch((error) => this.#log(toApprenticeError(error).message));
      this.#tell();
    }).catch((thrown) => {
      this.#log(`An engine came and could not be used: ${toApprenticeError(thrown).message}`);
      if (!this.#stopped) setTimeout(() => this.#join(member), JOIN_AGAIN_MS).unref();
    });
  }

  #leave(member: Member): void {
    const left = member.joined;
    member.joined = null;
    if (left !== null) {
      this.#router?.remove(left.url).catch((error) => this.#log(toApprenticeError(error).message));
      // With the last one all that was loaded is gone; who comes first then is given it anew.
      if (this.#joined().length === 0) this.#adapters.clear();
    }
    this.#tell();
  }

  async #command(path: string, body: object): Promise<void> {
    this.any();
    const { refused } = await this.#each((server) => post(server, path, body));
    if (refused) throw refused;
  }

  /** Asks every server that answers. One that has left by the time it fails has not refused anything. */
  async #each(
    ask: (server: ServerEndpoint) => Promise<void>,
  ): Promise<{ done: ServerEndpoint[]; refused: ApprenticeError | null }> {
    const servers = this.#joined();
    const outcomes = await Promise.all(
      servers.map(async (server) => ({ server, error: await failure(ask(server)) })),
    );
    const done = outcomes.filter(({ error }) => error === null).map(({ server }) => server);
    const isHere = (server: ServerEndpoint) => this.#joined().includes(server);
    const refused = outcomes.find(
      ({ server, error }) => error && (error.code !== 'engine_unavailable' || isHere(server)),
    );
    if (refused?.error) return { done, refused: refused.error };
    return { done, refused: done.length > 0 ? null : (outcomes[0]?.error ?? null) };
  }

  #inOrder<T>(operation: () => Promise<T>): Promise<T> {
    const done = this.#operations.then(operation);
    this.#operations = done.catch(() => undefined);
    return done;
  }

  #tell(): void {
    const state = this.state();
    for (const listener of [...this.#listeners]) listener(state);
  }
}

async function failure(promise: Promise<void>): Promise<ApprenticeError | null> {
  return await promise.then(
    () => null,
    (thrown) => toApprenticeError(thrown, 'engine_unavailable'),
  );
}
