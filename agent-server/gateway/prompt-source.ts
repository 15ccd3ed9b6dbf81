/** The model's chat template and tokenizer, fetched from the worker once and kept until the model may be another. */
import type { Engine } from '../engine/engine.ts';
import { ChatPrompt } from './chat-template.ts';

export class PromptSource {
  readonly #engine: Pick<Engine, 'tokenizerFiles'>;
  #current: Promise<ChatPrompt> | undefined;

  constructor(engine: Pick<Engine, 'tokenizerFiles'>) {
    this.#engine = engine;
  }

  /** Throws what the engine client throws; a failure is not kept. `signal` is that of the request that fetches. */
  async get(signal: AbortSignal): Promise<ChatPrompt> {
    const current = this.#current ?? this.#fetch(signal);
    this.#current = current;
    try {
      return await current;
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  /** To be called when the engine's epoch changes: it may have been started with another model. */
  forget(): void {
    this.#current = undefined;
  }

  async #fetch(signal: AbortSignal): Promise<ChatPrompt> {
    return new ChatPrompt(await this.#engine.tokenizerFiles(signal));
  }
}
