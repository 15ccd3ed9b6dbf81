/** A request inside the engine: what was asked for, how far it is, and what it still owes. */
import type { Submit } from '../messages.ts';
import type { AddonLora } from './addon.ts';
import { type TopList, uniforms } from './logits.ts';
import type { Slot } from './slots.ts';

/** Known by its identity: another that is loaded under the same name later is another one. */
export interface Adapter {
  name: string;
  lora: AddonLora;
}

export class Request {
  readonly asked: Submit;
  readonly adapter: Adapter | null;
  readonly uniform: () => number;
  readonly stops: ReadonlySet<number>;
  readonly output: number[] = [];
  readonly inputLogprobs: (number | null)[] = [];
  readonly inputTop: (TopList | null)[] = [];
  /** Null while it waits. */
  slot: Slot | null = null;
  cachedTokens = 0;

  constructor(asked: Submit, adapter: Adapter | null, randomSeed: () => number) {
    this.asked = asked;
    this.adapter = adapter;
    this.uniform = uniforms(asked.seed ?? randomSeed());
    this.stops = new Set(asked.stop_token_ids);
  }

  get prompt(): readonly number[] {
    return this.asked.input_ids;
  }

  get scoresInput(): boolean {
    return this.asked.return_logprob && this.asked.logprob_start_len >= 0;
  }

  get wantsTop(): boolean {
    return this.asked.return_logprob && this.asked.top_logprobs_num > 0;
  }

  /**
   * How much of the prompt may come from a cache: logits are needed from the position that precedes the first scored
   * token, or else from the last one.
   */
  get reusableTokens(): number {
    const last = this.prompt.length - 1;
    return this.scoresInput ? Math.min(this.asked.logprob_start_len, last) : last;
  }

  get prefilling(): boolean {
    return this.slot === null || this.slot.ids.length < this.prompt.length;
  }

  /**
   * Offsets among the next `count` tokens of the prompt whose logits are read: those that predict a scored token, and the
   * last one when something is to be generated.
   */
  wantedLogits(start: number, count: number): number[] {
    const last = this.prompt.length - 1;
    const first = this.scoresInput ? this.asked.logprob_start_len : last;
    const until = this.asked.max_new_tokens > 0 ? last + 1 : last;
    const offsets = Array.from({ length: count }, (_, offset) => offset);
    return offsets.filter((offset) => first <= start + offset && start + offset < until);
  }
}
