/**
 * The replay's line to its agent-server: requests that outlive a restart, and the panel's snapshots as they
 * come. Starting the process is `server-process.ts`'s.
 */
import type { z } from 'zod';
import { connectEditorClient, type EditorClient } from '../../lsp/client.ts';
import { editorNotifications, editorRequests } from '../../protocol/editor.ts';
import { ApprenticeError } from '../../protocol/errors.ts';
import type { PanelSnapshot } from '../../protocol/panel.ts';
import { persist } from './persist.ts';
import type { ServerProcess } from './server-process.ts';

export interface ServerLinkOptions {
  onSnapshot: (snapshot: PanelSnapshot) => void;
  onRetry: (what: string, error: ApprenticeError) => void;
}

const REQUEST_LIMIT_MS = 5 * 60_000;

export class ServerLink {
  readonly #server: ServerProcess;
  readonly #options: ServerLinkOptions;
  readonly #closing = new AbortController();
  readonly #watchers = new Set<(snapshot: PanelSnapshot) => void>();
  #client: Promise<EditorClient> | null = null;
  #latest: PanelSnapshot | null = null;

  constructor(server: ServerProcess, options: ServerLinkOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** The newest snapshot seen; null before the first. */
  get latest(): PanelSnapshot | null {
    return this.#latest;
  }

  /** Sent again until it is answered, whatever is restarted meanwhile: only for requests that may be repeated. */
  async request<P extends z.ZodType, R extends z.ZodType>(
    definition: { method: string; params: P; result: R },
    params: z.input<P>,
    signal: AbortSignal,
  ): Promise<z.output<R>> {
    return persist(
      async (inner) => (await this.#connected()).request(definition, params, { signal: inner }),
      {
        what: definition.method,
        limitMs: REQUEST_LIMIT_MS,
        onRetry: (error) => this.#options.onRetry(definition.method, error),
      },
      signal,
    );
  }

  /** The first snapshot, from the latest on, for which `wanted` gives a value. Throws `timeout` that names `what`. */
  async until<T>(
    what: string,
    wanted: (snapshot: PanelSnapshot) => T | undefined,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<T> {
    const now = this.#latest === null ? undefined : wanted(this.#latest);
    if (now !== undefined) return now;
    const limit = AbortSignal.timeout(limitMs);
    const either = AbortSignal.any([signal, limit]);
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        this.#watchers.delete(watch);
        either.removeEventListener('abort', abort);
      };
      const watch = (snapshot: PanelSnapshot): void => {
        const value = wanted(snapshot);
        if (value === undefined) return;
        end();
        resolve(value);
      };
      const abort = (): void => {
        end();
        reject(
          signal.aborted
            ? new ApprenticeError('aborted', `Waiting for ${what} was cancelled.`, 'Start again.')
            : new ApprenticeError(
                'timeout',
                `${what} did not happen within ${Math.round(limitMs / 1000)} s.`,
                'The logs in the run folder say what the loops were doing.',
              ),
        );
      };
      this.#watchers.add(watch);
      if (either.aborted) abort();
      else either.addEventListener('abort', abort, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const client = this.#client;
    this.#client = null;
    // One that never came up has nothing to close.
    if (client !== null) await client.then((one) => one.close()).catch(() => undefined);
  }

  #connected(): Promise<EditorClient> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<EditorClient> {
    const signal = this.#closing.signal;
    try {
      const client = await connectEditorClient(await this.#server.discovery(signal), 'replay', signal);
      client.onNotification(editorNotifications.panelChanged, (snapshot) => this.#see(snapshot));
      void client.closed.then(() => this.#lost());
      await client.request(editorRequests.subscribePanel, { on: true }, { signal });
      this.#see(await client.request(editorRequests.panel, {}, { signal }));
      return client;
    } catch (error) {
      this.#client = null;
      throw error;
    }
  }

  /** Connects again at once, as whoever waits for a snapshot sends no request that would. */
  #lost(): void {
    this.#client = null;
    if (this.#closing.signal.aborted) return;
    const again = this.request(editorRequests.panel, {}, this.#closing.signal);
    again.catch((error: ApprenticeError) => {
      if (!this.#closing.signal.aborted) this.#options.onRetry('connecting', error);
    });
  }

  #see(snapshot: PanelSnapshot): void {
    this.#latest = snapshot;
    this.#options.onSnapshot(snapshot);
    for (const watch of [...this.#watchers]) watch(snapshot);
  }
}
