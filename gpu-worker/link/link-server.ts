/**
 * One user's end of the `ws` link (protocol/link.ts): lets agent-servers in, one owner at a time, and tells them how
 * the engine and the trainer are. What one of them asks for is link-session.ts; who may connect at all is decided before
 * the upgrade, in server.ts.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { ApprenticeError, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import {
  CLOSE_REFUSED,
  type FromWorker,
  LINK_PROTOCOL,
  type ProcessState,
  type ToWorker,
  type WorkerInfo,
} from '../../agent-server/protocol/link.ts';
import { MAX_FRAME_BYTES } from '../../agent-server/protocol/parcel.ts';
import type { TrainingRuns } from '../trainer/runs.ts';
import type { Weights } from '../weights/weights.ts';
import { Deliveries } from './deliveries.ts';
import { LinkSession } from './link-session.ts';
import { Owner } from './owner.ts';

/** The client pings every few seconds; silent this long, it is gone and its socket is freed. */
const SILENCE_LIMIT_MS = 30_000;
/** One agent-server, and its successor while the first still lets go. */
const MAX_CONNECTIONS = 8;

/** What the link reports of the worker, and has it do. */
export interface WorkerView {
  /** Name of the base model. */
  baseModel: string;
  engine(): ProcessState;
  trainer(): ProcessState;
  engineEpoch(): string;
  /** Takes every adapter out of the engine's memory. */
  unloadAll(): Promise<void>;
}

export interface LinkServerOptions {
  home: string;
  trainer: TrainingRuns;
  weights: Weights;
  view: WorkerView;
  log: (line: string) => void;
  silenceLimitMs?: number;
}

export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES });
  readonly #sessions = new Set<LinkSession>();
  readonly #deliveries: Deliveries;
  readonly #owner: Owner;
  /** Greetings one after the other: each may have to clear away what another agent-server left. */
  #greetings: Promise<void> = Promise.resolve();
  /** Owners so far: another one finds other adapters behind the same names. */
  #owners = 0;

  constructor(options: LinkServerOptions) {
    this.#options = options;
    this.#deliveries = new Deliveries(options.home, options.weights);
    this.#owner = new Owner(options.home);
  }

  /** To be called before the first connection. */
  async open(): Promise<void> {
    await this.#owner.open();
    await this.#deliveries.open();
  }

  /** Takes over an HTTP upgrade that has been let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#sockets.clients.size >= MAX_CONNECTIONS) {
      socket.end('HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#serve(webSocket));
  }

  info(): WorkerInfo {
    const { view } = this.#options;
    const { baseModel } = view;
    return { linkProtocol: LINK_PROTOCOL, baseModel, engine: view.engine(), trainer: view.trainer() };
  }

  /** To be called whenever a state of the view has changed. */
  statusChanged(): void {
    for (const session of this.#sessions)
      if (session.owner !== null) session.send({ type: 'status', ...this.#states() });
  }

  /** Ends every connection; who comes back has to have the key. */
  cut(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  /** Cuts every connection for good; resolves when nothing of what was being sent is written any more. */
  async close(): Promise<void> {
    this.cut();
    this.#sockets.close();
    await this.#deliveries.close();
  }

  #serve(socket: WebSocket): void {
    const { trainer, weights, log, silenceLimitMs = SILENCE_LIMIT_MS } = this.#options;
    const silence = setTimeout(() => socket.terminate(), silenceLimitMs);
    const session = new LinkSession(socket, {
      trainer,
      weights,
      deliveries: this.#deliveries,
      greet: (greeted, hello) => this.#greet(greeted, hello),
      log,
    });
    this.#sessions.add(session);
    socket.on('message', () => silence.refresh());
    socket.on('error', (error) => log(`Link: ${error.message}`));
    socket.on('close', () => {
      clearTimeout(silence);
      this.#sessions.delete(session);
    });
  }

  #greet(session: LinkSession, hello: Extract<ToWorker, { type: 'hello' }>): void {
    this.#greetings = this.#greetings
      .then(() => this.#welcome(session, hello))
      .catch((thrown) => {
        const { code, message, remedy } = toApprenticeError(thrown);
        this.#options.log(`Link: ${message}`);
        session.send({ type: 'refused', code, message: `${message} ${remedy}`.trim() });
        session.close(CLOSE_REFUSED, code);
      });
  }

  async #welcome(
    session: LinkSession,
    { protocol, owner }: Extract<ToWorker, { type: 'hello' }>,
  ): Promise<void> {
    const { view, weights } = this.#options;
    if (protocol !== LINK_PROTOCOL)
      throw new ApprenticeError(
        'version_mismatch',
        `The gpu-worker speaks link protocol ${LINK_PROTOCOL}, and its client ${protocol}.`,
        'Run the same version of Apprentice on both machines.',
      );
    if ([...this.#sessions].some((other) => other.owner !== null && other.owner !== owner))
      throw new ApprenticeError(
        'worker_taken',
        'Another agent-server uses this gpu-worker now, and its weights lie here.',
        'End that one; or have a key of your own made where the worker runs: apprentice-worker user add NAME.',
      );
    if (!this.#owner.is(owner)) await this.#changeOwner(owner);
    const versions = await weights.versions();
    session.owner = owner;
    session.send({
      type: 'welcome',
      protocol: LINK_PROTOCOL,
      baseModel: view.baseModel,
      versions,
      ...this.#states(),
    });
  }

  /** Nothing of the last one's is left, on the disk or in the engine, before the next is told to be welcome. */
  async #changeOwner(owner: string): Promise<void> {
    const { trainer, weights, view, log } = this.#options;
    log('Link: another agent-server; what the last one left is deleted.');
    await trainer.cancelAll();
    await this.#deliveries.clear();
    await weights.drop(() => false);
    await view.unloadAll();
    this.#owners += 1;
    await this.#owner.become(owner);
  }

  #states(): Pick<Extract<FromWorker, { type: 'status' }>, 'engine' | 'trainer' | 'engineEpoch'> {
    const { view } = this.#options;
    const engineEpoch = `${view.engineEpoch()}.${this.#owners}`;
    return { engine: view.engine(), trainer: view.trainer(), engineEpoch };
  }
}
