/** The model's chat template and tokenizer, fetched from the worker once and kept until the model may be another. */
import type { Engine } from '../engine/engine.ts';
import { until } from '../engine/until.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { ChatPrompt } from './chat-template.ts';

/** Some megabytes over loopback. */
const FETCH_LIMIT_MS = 30_000;

export class PromptSource {
  readonly #engine: Pick<Engine, 'tokenizerFiles'>;
  #current: Promise<ChatPrompt> | undefined;

  constructor(engine: Pick<Engine, 'tokenizerFiles'>) {
    this.#engine = engine;
  }

  /**
   * Throws `aborted`, and what the engine client throws; a failure is not kept. Whoever asks first does not take
   * the answer from the others by going away.
   */
  get(signal: AbortSignal): Promise<ChatPrompt> {
    this.#current ??= this.#fetch();
    return until(
      this.#current,
      signal,
      () => new ApprenticeError('aborted', 'The request was cancelled.', ''),
    );
  }

  /** To be called when the engine's epoch changes: it may have been started with another model. */
  forget(): void {
    this.#current = undefined;
  }

  #fetch(): Promise<ChatPrompt> {
    const fetched = this.#engine
      .tokenizerFiles(AbortSignal.timeout(FETCH_LIMIT_MS))
      .then((files) => new ChatPrompt(files));
    // Those who wait get the error; the next to ask fetches again.
    fetched.catch(() => {
      if (this.#current === fetched) this.#current = undefined;
    });
    return fetched;
  }
}
