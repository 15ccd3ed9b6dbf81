/**
 * Who may use something of which there is one form at a time: those who want the form that is there go in, and others
 * wait until nobody is inside and it has been changed. First come, first served, but that a change lets in all who wait
 * for that form, so that two who take turns do not change it for each. Changing it is the caller's.
 */
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

interface Waiting<T> {
  wants: T;
  admit(): void;
  refuse(error: unknown): void;
  /** Since when nobody goes in because of it; null while others come before it. */
  holdsSinceMs: number | null;
}

export interface TurnstileOptions<T> {
  /** Makes it that form. What it throws is thrown to all who wait for that form. */
  change(form: T): Promise<void>;
  /** How long nobody could go in because of a change. */
  onPause(form: T, seconds: number): void;
  maxWaiting: number;
  maxWaitMs: number;
}

export class Turnstile<T> {
  readonly #options: TurnstileOptions<T>;
  /** Undefined: unknown, so that anything is a change. */
  #form: T | undefined;
  #inside = 0;
  #waiting: Waiting<T>[] = [];
  #changing = false;
  #emptied = Promise.withResolvers<void>();

  constructor(form: T, options: TurnstileOptions<T>) {
    this.#form = form;
    this.#options = options;
  }

  get form(): T | undefined {
    return this.#form;
  }

  /** What it is now, nobody knows. Who is inside goes on. */
  forget(): void {
    this.#form = undefined;
  }

  /**
   * Resolves inside, with the way out, to be called once. Throws `queue_full`, `timeout`, the reason of `signal`, and
   * what changing throws.
   */
  async enter(wants: T, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#form === wants && this.#waiting.length === 0 && !this.#changing) return this.#goIn();
    const { maxWaiting, maxWaitMs } = this.#options;
    if (this.#waiting.length >= maxWaiting)
      throw new ApprenticeError(
        'queue_full',
        `${maxWaiting} requests wait for other weights already.`,
        'Try again later.',
      );
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const waiting: Waiting<T> = {
      wants,
      admit: () => resolve(this.#goIn()),
      refuse: reject,
      holdsSinceMs: null,
    };
    const leave = (reason: unknown) => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      reject(reason);
      this.#advance();
    };
    const onAbort = () => leave(signal.reason);
    const timer = setTimeout(() => leave(late(maxWaitMs)), maxWaitMs);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiting);
    this.#advance();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves once nobody inside wants that form; who waits for it is refused with `error`. */
  async clear(form: T, error: ApprenticeError): Promise<void> {
    this.#refuse(form, error);
    while (this.#form === form && this.#inside > 0) await this.#emptied.promise;
  }

  #goIn(): () => void {
    this.#inside += 1;
    let out = false;
    return () => {
      if (out) return;
      out = true;
      this.#inside -= 1;
      if (this.#inside > 0) return;
      this.#emptied.resolve();
      this.#emptied = Promise.withResolvers();
      this.#advance();
    };
  }

  #advance(): void {
    for (;;) {
      const [first] = this.#waiting;
      if (this.#changing || first === undefined) return;
      if (first.wants !== this.#form) {
        first.holdsSinceMs ??= performance.now();
        if (this.#inside === 0) void this.#change(first);
        return;
      }
      this.#waiting.shift();
      first.admit();
    }
  }

  async #change({ wants, holdsSinceMs }: Waiting<T>): Promise<void> {
    this.#changing = true;
    try {
      this.#form = undefined;
      await this.#options.change(wants);
      this.#form = wants;
      this.#options.onPause(wants, (performance.now() - (holdsSinceMs ?? performance.now())) / 1000);
      for (const one of this.#waiting) if (one.wants === wants) one.admit();
      this.#waiting = this.#waiting.filter((one) => one.wants !== wants);
    } catch (error) {
      this.#refuse(wants, error);
    } finally {
      this.#changing = false;
    }
    this.#advance();
  }

  #refuse(form: T, error: unknown): void {
    const refused = this.#waiting.filter(({ wants }) => wants === form);
    this.#waiting = this.#waiting.filter(({ wants }) => wants !== form);
    for (const one of refused) one.refuse(error);
  }
}

function late(maxWaitMs: number): ApprenticeError {
  return new ApprenticeError(
    'timeout',
    `The engine had other weights for ${maxWaitMs / 1000} s.`,
    'Try again: requests on those weights have to end first.',
  );
}
