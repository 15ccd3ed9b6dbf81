/** Connections of agent-servers as Prometheus counts them: how many there were, how many there are, their bytes. */
import type { Duplex } from 'node:stream';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What a socket of Node says of itself; a stream that is none says nothing. */
interface Counted {
  bytesRead?: number;
  bytesWritten?: number;
}

export class LinkMetrics {
  readonly #open = new Set<Duplex & Counted>();
  readonly #connections;
  readonly #past = { received: 0, sent: 0 };

  constructor(registry: Registry) {
    const registers = [registry];
    this.#connections = new Counter({
      name: 'apprentice_worker_link_connections_total',
      help: 'Connections of agent-servers; those after the first are reconnects.',
      registers,
    });
    const open: Gauge = new Gauge({
      name: 'apprentice_worker_link_open',
      help: 'Connections now.',
      registers,
      collect: () => open.set(this.#open.size),
    });
    const bytes: Counter<string> = new Counter({
      name: 'apprentice_worker_link_bytes_total',
      help: 'Bytes of these connections.',
      labelNames: ['direction'],
      registers,
      collect: () => {
        bytes.reset();
        for (const [direction, count] of Object.entries(this.#bytes())) bytes.inc({ direction }, count);
      },
    });
  }

  /** A connection was let in. */
  opened(socket: Duplex & Counted): void {
    this.#connections.inc();
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#past.received += socket.bytesRead ?? 0;
      this.#past.sent += socket.bytesWritten ?? 0;
    });
  }

  #bytes(): { received: number; sent: number } {
    const sum = { ...this.#past };
    for (const { bytesRead = 0, bytesWritten = 0 } of this.#open) {
      sum.received += bytesRead;
      sum.sent += bytesWritten;
    }
    return sum;
  }
}
