/**
 * Whose training run is next: one at a time, and of the users that wait the one whose last turn is longest ago, so that
 * many batches of one wait behind one batch of another. A run is a function to call; what it does is runs.ts.
 */

/** Runs `job` when its turn has come. `onAhead` hears how many runs come before, at first and at every change. */
export type TakeTurn = <T>(
  job: () => Promise<T>,
  signal: AbortSignal,
  onAhead: (ahead: number) => void,
) => Promise<T>;

interface Waiting {
  user: string;
  begin(): void;
  onAhead(ahead: number): void;
  /** As it was told last. */
  ahead: number;
}

export class TrainingQueue {
  /** In the order in which they came. */
  #waiting: Waiting[] = [];
  #running = false;
  #turns = 0;
  /** When a user had a turn last, counted in turns; not in here: never yet. */
  readonly #lastTurn = new Map<string, number>();

  /** The queue as one user enters it. Throws the reason of a signal that aborts before the turn has come. */
  of(user: string): TakeTurn {
    return async (job, signal, onAhead) => {
      await this.#turn(user, signal, onAhead);
      try {
        return await job();
      } finally {
        this.#running = false;
        this.#next();
      }
    };
  }

  /** Of a user who has gone; nothing of theirs may wait. */
  forget(user: string): void {
    this.#lastTurn.delete(user);
  }

  async #turn(user: string, signal: AbortSignal, onAhead: (ahead: number) => void): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { user, begin: resolve, onAhead, ahead: 0 };
    const leave = () => {
      // Nothing to reject once the turn has come: the job looks at the signal itself.
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      reject(signal.reason);
      this.#tell();
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.push(waiting);
    this.#next();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #next(): void {
    const [first] = this.#running ? [] : this.#order();
    if (first) {
      this.#running = true;
      this.#waiting = this.#waiting.filter((one) => one !== first);
      this.#turns += 1;
      this.#lastTurn.set(first.user, this.#turns);
      first.begin();
    }
    this.#tell();
  }

  #tell(): void {
    for (const [index, waiting] of this.#order().entries()) {
      const ahead = index + (this.#running ? 1 : 0);
      if (waiting.ahead === ahead) continue;
      waiting.ahead = ahead;
      waiting.onAhead(ahead);
    }
  }

  /** Who comes next, and after that, if nobody else came. */
  #order(): Waiting[] {
    const left = [...this.#waiting];
    const lastTurn = new Map(this.#lastTurn);
    const order: Waiting[] = [];
    while (left.length > 0) {
      const since = ({ user }: Waiting) => lastTurn.get(user) ?? 0;
      const next = left.reduce((first, one) => (since(one) < since(first) ? one : first));
      left.splice(left.indexOf(next), 1);
      order.push(next);
      lastTurn.set(next.user, this.#turns + order.length);
    }
    return order;
  }
}
