/**
 * The window's connection to the agent-server: found or started, kept alive with back-off, typed by the
 * protocol. What is asked over it is left to the rooms.
 */
import { type Disposable, EventEmitter, type LogOutputChannel, l10n } from 'vscode';
import { z } from 'zod';
import { BackOff } from '../agent-server/protocol/back-off.ts';
import {
  type EditsProposed,
  editorNotifications,
  editorRequests,
  type LearningState,
  type Progress,
  type SideBySideAnswered,
  serverRequests,
} from '../agent-server/protocol/editor.ts';
import { ApprenticeError, toApprenticeError } from '../agent-server/protocol/errors.ts';
import type { PanelSnapshot } from '../agent-server/protocol/panel.ts';
import type { LanguageModelJudge } from './judge/language-model.ts';
import { messageOf } from './log.ts';
import { Pause } from './pause.ts';
import { serverError } from './server-error.ts';
import {
  findOrStartServer,
  type ServerConnection,
  type ServerLaunch,
  serverAnswers,
} from './server-process.ts';
import type { Session } from './session.ts';

/** Then a person has to look: about half a minute of trying. */
const MAX_FAILURES = 8;
/** How often is then looked whether one runs again. */
const LOOK_MS = 10_000;
const CONNECT_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 10_000;

export type ConnectionState =
  | { kind: 'idle' }
  | { kind: 'starting' }
  | { kind: 'connected' }
  | { kind: 'retrying'; message: string }
  | { kind: 'offline'; message: string };

export interface RequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** Who answers when the server asks this window for a vote. */
export type WindowJudge = Pick<LanguageModelJudge, 'offer' | 'answer'>;

export class AgentServerClient implements Disposable {
  #session: Session | null = null;
  #state: ConnectionState = { kind: 'idle' };
  #snapshot: PanelSnapshot | null = null;
  #gatewayKey: string | null = null;
  #learning: LearningState | null = null;
  #running = false;
  readonly #launch: () => Promise<ServerLaunch>;
  readonly #log: LogOutputChannel;
  readonly #name: string;
  readonly #judge: WindowJudge;
  readonly #disposed = new AbortController();
  readonly #pause = new Pause();
  readonly #onDidChange = new EventEmitter<void>();
  readonly #onActionText = new EventEmitter<{ requestId: string; text: string }>();
  readonly #onEditsProposed = new EventEmitter<EditsProposed>();
  readonly #onProgress = new EventEmitter<Progress>();
  readonly #onSideBySideAnswered = new EventEmitter<SideBySideAnswered>();
  /** Connection, learning state or snapshot has changed; read them from the getters. */
  readonly onDidChange = this.#onDidChange.event;
  readonly onActionText = this.#onActionText.event;
  /** An agent's answer, by the gateway, that does something to files. */
  readonly onEditsProposed = this.#onEditsProposed.event;
  readonly onProgress = this.#onProgress.event;
  readonly onSideBySideAnswered = this.#onSideBySideAnswered.event;

  /** `launch` is read anew at every attempt, so that changed settings count. `name` is how the server logs this window. */
  constructor(launch: () => Promise<ServerLaunch>, name: string, judge: WindowJudge, log: LogOutputChannel) {
    this.#launch = launch;
    this.#name = name;
    this.#judge = judge;
    this.#log = log;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Null until the server has said so in this window. */
  get learning(): LearningState | null {
    return this.#learning;
  }

  /** The last one received; kept while the server is away. */
  get snapshot(): PanelSnapshot | null {
    return this.#snapshot;
  }

  /**
   * This window's own key for the gateway, good for this run of the agent-server; null before the first connection. What
   * other agents are given is the request `gateway`.
   */
  get gatewayKey(): string | null {
    return this.#gatewayKey;
  }

  /** Starts connecting, or tries again at once where it waits. Returns immediately. */
  start(): void {
    if (this.#running) this.#pause.wake();
    else void this.#keepConnected(this.#disposed.signal);
  }

  /** Ends the connection so that the next one uses the settings as they are now. */
  async reconnect(): Promise<void> {
    await this.#session?.stop().catch((error: unknown) => this.#log.debug(messageOf(error)));
    this.start();
  }

  /** Has the server end and started anew, with the settings and secrets as they are now; other windows come along. */
  async restartServer(): Promise<void> {
    await this.request(editorRequests.stop, {});
    await this.#session?.ended;
  }

  /** Asks the server, connecting first where needed. Throws ApprenticeError; `aborted` when cancelled. */
  async request<P extends z.ZodType, R extends z.ZodType>(
    definition: { method: string; params: P; result: R },
    params: z.input<P>,
    options: RequestOptions = {},
  ): Promise<z.output<R>> {
    const session = await this.#connected(options.signal);
    const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    try {
      return definition.result.parse(await session.request(definition.method, params, signal));
    } catch (error) {
      if (timeout.aborted) {
        throw new ApprenticeError(
          'timeout',
          l10n.t('The agent-server did not answer {0} within {1} s.', definition.method, timeoutMs / 1000),
          l10n.t('Try again; the output channel "Apprentice" says what it was doing.'),
          { cause: error },
        );
      }
      if (options.signal?.aborted) throw new ApprenticeError('aborted', 'Cancelled.', '', { cause: error });
      throw serverError(error);
    }
  }

  dispose(): void {
    this.#disposed.abort();
    void this.#session?.stop().catch((error: unknown) => this.#log.debug(messageOf(error)));
    const told = [this.#onActionText, this.#onEditsProposed, this.#onProgress, this.#onSideBySideAnswered];
    for (const emitter of [this.#onDidChange, ...told]) emitter.dispose();
  }

  async #keepConnected(signal: AbortSignal): Promise<void> {
    this.#running = true;
    let backOff = new BackOff();
    while (!signal.aborted) {
      // Until it has come back the window says that it is away.
      if (backOff.failures === 0) this.#setState({ kind: 'starting' });
      const startedAtMs = performance.now();
      let message = l10n.t('The connection to the agent-server ended.');
      try {
        await this.#serve(await findOrStartServer(await this.#launch(), signal));
      } catch (error) {
        const failure = toApprenticeError(error);
        message = `${failure.message} ${failure.remedy}`;
      }
      if (signal.aborted) return;
      const delayMs = backOff.delayMs(performance.now() - startedAtMs);
      this.#log.warn(message);
      const givenUp = backOff.failures > MAX_FAILURES;
      this.#setState({ kind: givenUp ? 'offline' : 'retrying', message });
      let woken = await this.#pause.wait(givenUp ? LOOK_MS : delayMs, signal);
      if (!givenUp) continue;
      // None is started any more, but another window may have.
      while (!woken && !(await serverAnswers((await this.#launch()).home)))
        woken = await this.#pause.wait(LOOK_MS, signal);
      backOff = new BackOff();
    }
  }

  /** One connection from initialize to its end. */
  async #serve(connection: ServerConnection): Promise<void> {
    const { openSession } = await import('./session.ts');
    const session = await openSession(connection, this.#name, this.#log, {
      notifications: this.#handlers(),
      judge: (await this.#judge.offer()) ? { method: serverRequests.judge.method, answer: this.#vote } : null,
    });
    try {
      const ask = async <P extends z.ZodType, R extends z.ZodType>(
        definition: { method: string; params: P; result: R },
        params: z.input<P>,
      ): Promise<z.output<R>> =>
        definition.result.parse(
          await session.request(definition.method, params, AbortSignal.timeout(REQUEST_TIMEOUT_MS)),
        );
      this.#learning = (await ask(editorRequests.getLearning, {})).state;
      await ask(editorRequests.subscribePanel, { on: true });
      this.#snapshot = await ask(editorRequests.panel, {});
      this.#session = session;
      this.#gatewayKey = connection.token;
      this.#setState({ kind: 'connected' });
      await session.ended;
    } finally {
      this.#session = null;
      await session.stop().catch((error: unknown) => this.#log.debug(messageOf(error)));
    }
  }

  readonly #vote = (params: unknown, signal: AbortSignal): Promise<unknown> =>
    this.#judge.answer(serverRequests.judge.params.parse(params), signal);

  #handlers(): Record<string, (params: unknown) => void> {
    const { actionText, editsProposed, panelChanged, learningChanged } = editorNotifications;
    const { exportProgress, evaluateProgress, sideBySideAnswered } = editorNotifications;
    const told = (params: unknown): void =>
      this.#parsed(exportProgress.params, params, (value) => this.#onProgress.fire(value));
    return {
      [exportProgress.method]: told,
      [evaluateProgress.method]: told,
      [sideBySideAnswered.method]: (params) =>
        this.#parsed(sideBySideAnswered.params, params, (value) => this.#onSideBySideAnswered.fire(value)),
      [editsProposed.method]: (params) =>
        this.#parsed(editsProposed.params, params, (value) => this.#onEditsProposed.fire(value)),
      [actionText.method]: (params) =>
        this.#parsed(actionText.params, params, (value) => this.#onActionText.fire(value)),
      [panelChanged.method]: (params) =>
        this.#parsed(panelChanged.params, params, (snapshot) => {
          this.#snapshot = snapshot;
          this.#learning = snapshot.learning;
          this.#onDidChange.fire();
        }),
      [learningChanged.method]: (params) =>
        this.#parsed(learningChanged.params, params, ({ state }) => {
          this.#learning = state;
          this.#onDidChange.fire();
        }),
    };
  }

  #parsed<S extends z.ZodType>(schema: S, params: unknown, use: (value: z.output<S>) => void): void {
    const parsed = schema.safeParse(params);
    if (parsed.success) use(parsed.data);
    else this.#log.error(`The agent-server sent what does not parse: ${z.prettifyError(parsed.error)}`);
  }

  async #connected(signal: AbortSignal | undefined): Promise<Session> {
    this.start();
    const limit = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    while (this.#session === null || this.#state.kind !== 'connected') {
      if (this.#state.kind === 'offline') {
        throw new ApprenticeError(
          'worker_unavailable',
          this.#state.message,
          l10n.t('Try again from the Apprentice view.'),
        );
      }
      await this.#changed(either);
      if (signal?.aborted) throw new ApprenticeError('aborted', 'Cancelled while connecting.', '');
      if (limit.aborted) {
        throw new ApprenticeError(
          'timeout',
          l10n.t('No agent-server within {0} s.', CONNECT_TIMEOUT_MS / 1000),
          l10n.t('The output channel "Apprentice" says why.'),
        );
      }
    }
    return this.#session;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        subscription.dispose();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const subscription = this.onDidChange(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#log.debug(`Connection: ${state.kind}`);
    if (!this.#disposed.signal.aborted) this.#onDidChange.fire();
  }
}
