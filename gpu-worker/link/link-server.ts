/**
 * The worker's end of the `ws` link (protocol/link.ts): greets, reports states, takes batches, tells how they
 * go. A run outlives the connection that asked for it; who comes back asks again and joins it. Who may connect
 * is decided before the upgrade, in server.ts.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { WeightVersion } from '../../agent-server/protocol/ids.ts';
import {
  type FromWorker,
  LINK_PROTOCOL,
  type ProcessState,
  ToWorker,
} from '../../agent-server/protocol/link.ts';
import type { Trainer } from '../trainer/trainer.ts';

/** Code by which either side says that it could not parse the other. */
const CLOSE_UNPARSED = 4400;
/** Every message to the worker is a few hundred bytes: batches travel as folders. */
const MAX_MESSAGE_BYTES = 65_536;
/** The client pings every few seconds; silent this long, it is gone and its socket is freed. */
const SILENCE_LIMIT_MS = 30_000;
/** One agent-server, and its successor while the first still lets go. */
const MAX_CONNECTIONS = 8;
/** Bytes that may wait for a client that does not read, before it is cut off; it will ask again. */
const MAX_BUFFERED_BYTES = 1_048_576;

/** What the link reports of the worker. */
export interface WorkerView {
  engine(): ProcessState;
  trainer(): ProcessState;
  engineEpoch(): string;
  versions(): Promise<WeightVersion[]>;
}

export interface LinkServerOptions {
  trainer: Trainer;
  view: WorkerView;
  log: (line: string) => void;
  silenceLimitMs?: number;
}

export class LinkServer {
  readonly #options: LinkServerOptions;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  /** Connections that have said hello. */
  readonly #greeted = new Set<WebSocket>();

  constructor(options: LinkServerOptions) {
    this.#options = options;
  }

  /** Takes over an HTTP upgrade that has been let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#sockets.clients.size >= MAX_CONNECTIONS) {
      socket.end('HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#serve(webSocket));
  }

  /** To be called whenever a state of the view has changed. */
  statusChanged(): void {
    for (const socket of this.#greeted) this.#send(socket, { type: 'status', ...this.#states() });
  }

  /** Cuts every connection. */
  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
  }

  #serve(socket: WebSocket): void {
    const silence = setTimeout(() => socket.terminate(), this.#options.silenceLimitMs ?? SILENCE_LIMIT_MS);
    socket.on('message', (data) => {
      silence.refresh();
      const message = parse(data);
      if (message) this.#receive(socket, message);
      else socket.close(CLOSE_UNPARSED, 'unknown message');
    });
    socket.on('error', (error) => this.#options.log(`Link: ${error.message}`));
    socket.on('close', () => {
      clearTimeout(silence);
      this.#greeted.delete(socket);
    });
  }

  #receive(socket: WebSocket, message: ToWorker): void {
    if (message.type === 'hello') {
      void this.#welcome(socket);
    } else if (message.type === 'ping') {
      this.#send(socket, { type: 'pong', at: message.at });
    } else if (!this.#greeted.has(socket)) {
      socket.close(CLOSE_UNPARSED, 'hello comes first');
    } else if (message.type === 'cancel') {
      this.#options.trainer.cancel(message.batchId);
    } else {
      void this.#train(socket, message);
    }
  }

  async #welcome(socket: WebSocket): Promise<void> {
    try {
      const versions = await this.#options.view.versions();
      this.#greeted.add(socket);
      this.#send(socket, { type: 'welcome', protocol: LINK_PROTOCOL, versions, ...this.#states() });
    } catch (thrown) {
      // Without its adapters folder the worker is of no use; the client comes back and finds out whether it is.
      this.#options.log(`Link: ${toApprenticeError(thrown).message}`);
      socket.terminate();
    }
  }

  async #train(socket: WebSocket, request: Extract<ToWorker, { type: 'train' }>): Promise<void> {
    const { batchId, folder } = request;
    try {
      const made = await this.#options.trainer.train(batchId, folder, (phase, fraction) =>
        this.#send(socket, { type: 'progress', batchId, phase, fraction }),
      );
      const { version, adapterSha256, metrics } = made.lineage;
      this.#send(socket, { type: 'trained', batchId, version, folder: made.folder, adapterSha256, metrics });
    } catch (thrown) {
      const { code, message } = toApprenticeError(thrown);
      this.#send(socket, { type: 'failed', batchId, code, message });
    }
  }

  #states(): { engine: ProcessState; trainer: ProcessState; engineEpoch: string } {
    const { view } = this.#options;
    return { engine: view.engine(), trainer: view.trainer(), engineEpoch: view.engineEpoch() };
  }

  #send(socket: WebSocket, message: FromWorker): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
    else socket.send(JSON.stringify(message));
  }
}

function parse(data: RawData): ToWorker | null {
  try {
    return ToWorker.safeParse(JSON.parse(String(data))).data ?? null;
  } catch {
    // Not JSON: the caller closes the link with the code that says so.
    return null;
  }
}
