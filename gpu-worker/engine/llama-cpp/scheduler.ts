/**
 * Continuous batching over the sequences of one context: which requests run, what each pass computes, and what becomes of
 * its logits. As python/apprentice_worker/scheduler.py does it, but for one thing: llama.cpp applies adapters to a whole
 * batch, so a step decodes one batch for each adapter in use. Only `step` waits, and nothing else is called meanwhile.
 */
import type { EngineEvent, RequestEvent } from '../messages.ts';
import type { Addon, AddonContext, AddonModel } from './addon.ts';
import { LogitReader } from './logits.ts';
import type { Adapter, Request } from './request.ts';
import { type Slot, Slots } from './slots.ts';

/** Prompt tokens in one step. Beside decoding requests a step must stay short: it is the gap in their streams. */
const PREFILL_TOKENS = 256;
const PREFILL_TOKENS_BESIDE_DECODING = 48;
/** Rows of logits in one step: each is as long as the vocabulary. */
const LOGIT_ROWS = 64;

/** The largest batch that is made, for `sequences` at once. */
export function largestBatch(sequences: number): number {
  return PREFILL_TOKENS + sequences;
}

/** What one request adds to a batch. */
interface Row {
  request: Request;
  slot: Slot;
  ids: readonly number[];
  logitsAt: readonly number[];
}

export interface SchedulerOptions {
  addon: Addon;
  model: AddonModel;
  context: AddonContext;
  sequences: number;
  vocabulary: number;
  send(event: EngineEvent): void;
}

export class Scheduler {
  readonly #context: AddonContext;
  readonly #reader: LogitReader;
  readonly #slots: Slots;
  readonly #send: (event: RequestEvent) => void;
  readonly #waiting: Request[] = [];
  readonly #running: Request[] = [];
  /** In the context. */
  #applied: Adapter | null = null;
  paused = false;

  constructor({ addon, model, context, sequences, vocabulary, send }: SchedulerOptions) {
    this.#context = context;
    this.#reader = new LogitReader(addon, model, context, vocabulary);
    this.#slots = new Slots(sequences, (id, length) => {
      if (!context.removeTokenCellsFromSequence(id, length, -1))
        throw new Error(`sequence ${id} could not be cut at ${length}`);
    });
    this.#send = send;
  }

  get hasWork(): boolean {
    return !this.paused && this.#waiting.length + this.#running.length > 0;
  }

  submit(request: Request): void {
    this.#waiting.push(request);
  }

  abort(rid: string): void {
    for (const request of [...this.#waiting, ...this.#running])
      if (request.asked.rid === rid) this.#finish(request, 'abort', null);
  }

  uses(adapter: Adapter): boolean {
    return [...this.#waiting, ...this.#running].some((request) => request.adapter === adapter);
  }

  /** Forgets what an adapter made, and takes it out of the context. Only while no request uses it. */
  forget(adapter: Adapter): void {
    this.#slots.drop(({ owner }) => owner === adapter);
    if (this.#applied === adapter) this.#apply(null);
  }

  forgetScope(scope: string): void {
    this.#slots.drop((slot) => slot.scope === scope);
  }

  /** One pass over everything that runs. */
  async step(): Promise<void> {
    this.#admit();
    const batches = Map.groupBy(this.#rows(), ({ request }) => request.adapter);
    for (const [adapter, rows] of batches) {
      if (adapter !== this.#applied) this.#apply(adapter);
      // Neighbouring sequences are computed together; llama.cpp wants them in their order for that.
      rows.sort((a, b) => a.slot.id - b.slot.id);
      this.#context.initBatch(rows.reduce((sum, { ids }) => sum + ids.length, 0));
      const indexes = rows.map(({ slot, ids, logitsAt }) =>
        this.#context.addToBatch(slot.id, slot.ids.length, Uint32Array.from(ids), Uint32Array.from(logitsAt)),
      );
      await this.#context.decodeBatch();
      for (const [at, row] of rows.entries()) await this.#advance(row, indexes[at] ?? new Uint32Array());
    }
  }

  #apply(adapter: Adapter | null): void {
    this.#context.setLoras(adapter === null ? [] : [adapter.lora], adapter === null ? [] : [1]);
    this.#applied = adapter;
  }

  #admit(): void {
    for (let next = this.#nextWaiting(); next !== null; next = this.#nextWaiting()) {
      const { prompt, adapter, reusableTokens: reusable, asked } = next;
      const slot = this.#slots.take({ prompt, adapter, scope: asked.scope, reusable });
      if (slot === null) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      next.slot = slot;
      next.cachedTokens = slot.ids.length;
      if (next.scoresInput) {
        next.inputLogprobs.push(null);
        next.inputTop.push(null);
      }
      this.#running.push(next);
    }
  }

  /** The oldest of the users with the fewest running requests: who sends many waits behind themselves. */
  #nextWaiting(): Request | null {
    const running = (scope: string) => this.#running.filter(({ asked }) => asked.scope === scope).length;
    let best: Request | null = null;
    for (const request of this.#waiting)
      if (best === null || running(request.asked.scope) < running(best.asked.scope)) best = request;
    return best;
  }

  #rows(): Row[] {
    const decoding = this.#running.some(({ prefilling }) => !prefilling);
    let tokens = decoding ? PREFILL_TOKENS_BESIDE_DECODING : PREFILL_TOKENS;
    let logitRows = LOGIT_ROWS;
    const rows: Row[] = [];
    for (const request of this.#running) {
      const { slot, prompt, output } = request;
      if (slot === null) continue;
      if (!request.prefilling) {
        rows.push({ request, slot, ids: output.slice(-1), logitsAt: [0] });
        continue;
      }
      const start = slot.ids.length;
      const wanted = request.wantedLogits(start, Math.min(tokens, prompt.length - start));
      // Up to the first token whose logits would be one row too many.
      const ids = prompt.slice(start, start + Math.min(tokens, wanted[logitRows] ?? tokens));
      if (ids.length === 0) continue;
      const logitsAt = wanted.filter((offset) => offset < ids.length);
      tokens -= ids.length;
      logitRows -= logitsAt.length;
      rows.push({ request, slot, ids, logitsAt });
    }
    return rows;
  }

  /** Takes the logits of what was just computed: prompt scores first, then the next token. */
  async #advance({ request, slot, ids, logitsAt }: Row, indexes: Uint32Array): Promise<void> {
    const wasPrefilling = request.prefilling;
    const start = slot.ids.length;
    slot.ids.push(...ids);
    if (wasPrefilling) {
      if (request.scoresInput)
        for (const [at, offset] of logitsAt.entries())
          await this.#score(request, start + offset + 1, indexes[at] ?? -1);
      if (request.prefilling) return;
      const { return_logprob, rid } = request.asked;
      this.#send({
        type: 'input',
        rid,
        cached_tokens: request.cachedTokens,
        logprobs: return_logprob ? request.inputLogprobs : null,
        top: request.wantsTop ? request.inputTop : null,
      });
    }
    if (request.asked.max_new_tokens === 0) this.#finish(request, 'length', null);
    else await this.#generate(request, indexes.at(-1) ?? -1);
  }

  /** The token at `position` of the prompt, by the logits of the one before it; the last one's predict no prompt token. */
  async #score(request: Request, position: number, row: number): Promise<void> {
    const target = request.prompt[position];
    if (target === undefined) return;
    const { logprobs, logSum } = await this.#reader.scan(row, [target]);
    request.inputLogprobs.push(...logprobs);
    if (request.wantsTop)
      request.inputTop.push(await this.#reader.top(row, request.asked.top_logprobs_num, logSum));
  }

  async #generate(request: Request, row: number): Promise<void> {
    const { rid, return_logprob, top_logprobs_num, max_new_tokens, temperature } = request.asked;
    const { top_k: topK, top_p: topP } = request.asked;
    const token = await this.#reader.draw(row, { temperature, topK, topP }, request.uniform());
    request.output.push(token);
    const scan = return_logprob ? await this.#reader.scan(row, [token]) : null;
    const top =
      scan !== null && request.wantsTop ? await this.#reader.top(row, top_logprobs_num, scan.logSum) : null;
    this.#send({
      type: 'tokens',
      rid,
      ids: [token],
      logprobs: scan?.logprobs ?? null,
      top: top === null ? null : [top],
    });
    if (request.stops.has(token)) this.#finish(request, 'stop', token);
    else if (request.output.length >= max_new_tokens) this.#finish(request, 'length', null);
  }

  #finish(request: Request, reason: 'stop' | 'length' | 'abort', matched: number | null): void {
    const list = request.slot === null ? this.#waiting : this.#running;
    list.splice(list.indexOf(request), 1);
    if (request.slot !== null) this.#slots.release(request.slot);
    this.#send({ type: 'finish', rid: request.asked.rid, reason, matched, code: null, message: null });
  }
}
