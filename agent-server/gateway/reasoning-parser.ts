/**
 * Takes `<think>...</think>` off the beginning of an answer as it grows. Pure and incremental: the pieces do not
 * depend on how the text was cut. A mark later in the answer is text like any other.
 */
import { partialMark } from './json-scan.ts';

export const THINK_OPEN = '<think>';
const THINK_CLOSE = '</think>';

export interface Split {
  reasoning: string;
  answer: string;
}

type State = 'start' | 'opened' | 'thinking' | 'closed' | 'answer';

export class ReasoningParser {
  #state: State;
  #held = '';

  /** `opened`: the chat template ends its prompt with the opening mark, so the answer begins inside. */
  constructor(begins: 'plain' | 'opened') {
    this.#state = begins === 'opened' ? 'opened' : 'start';
  }

  push(text: string): Split {
    this.#held += text;
    let reasoning = '';
    if (this.#state === 'start') {
      const trimmed = this.#held.trimStart();
      if (trimmed.startsWith(THINK_OPEN)) {
        this.#held = trimmed.slice(THINK_OPEN.length);
        this.#state = 'opened';
      } else if (!THINK_OPEN.startsWith(trimmed)) this.#state = 'answer';
    }
    if (this.#state === 'opened') {
      this.#held = this.#held.trimStart();
      if (this.#held !== '') this.#state = 'thinking';
    }
    if (this.#state === 'thinking') {
      const close = this.#held.indexOf(THINK_CLOSE);
      const end = close < 0 ? this.#held.length - partialMark(this.#held, THINK_CLOSE) : close;
      // The space before the closing mark belongs to neither; it waits until it is known not to be that.
      reasoning = this.#held.slice(0, end).trimEnd();
      this.#held =
        close < 0 ? this.#held.slice(reasoning.length) : this.#held.slice(close + THINK_CLOSE.length);
      if (close >= 0) this.#state = 'closed';
    }
    if (this.#state === 'closed') {
      this.#held = this.#held.trimStart();
      if (this.#held !== '') this.#state = 'answer';
    }
    if (this.#state !== 'answer') return { reasoning, answer: '' };
    const answer = this.#held;
    this.#held = '';
    return { reasoning, answer };
  }

  /** What was held back, once nothing follows: thinking that never closed stays thinking. */
  end(): Split {
    const held = this.#held;
    this.#held = '';
    if (this.#state === 'thinking') return { reasoning: held.trimEnd(), answer: '' };
    return { reasoning: '', answer: this.#state === 'start' ? held : '' };
  }
}
