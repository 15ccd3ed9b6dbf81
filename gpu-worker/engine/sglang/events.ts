/**
 * What SGLang streams, as the events that the worker's routes take. It says the whole answer each time, or (with
 * `--incremental-streaming-output`) what is new: which one it is follows from the count of tokens that it gives.
 */
import type { GenerateResponse, TokenLogprob } from '../../../agent-server/protocol/engine.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { RequestEvent, Submit } from '../messages.ts';

type TopLists = NonNullable<Extract<RequestEvent, { type: 'tokens' }>['top']>;

/** The body of POST /generate. `eosTokenIds`: what ends an answer of this model. */
export function generateBody(submit: Submit, rid: string, eosTokenIds: readonly number[]): object {
  return {
    rid,
    input_ids: submit.input_ids,
    // Always there: an adapter that is only named as `model` is silently served by the base.
    lora_path: submit.adapter,
    // Keeps the cached prefixes of one user out of another's requests; empty is none.
    cache_salt: submit.scope,
    stream: true,
    return_logprob: submit.return_logprob,
    logprob_start_len: submit.logprob_start_len,
    top_logprobs_num: submit.return_logprob ? submit.top_logprobs_num : 0,
    sampling_params: {
      max_new_tokens: submit.max_new_tokens,
      temperature: submit.temperature,
      top_p: submit.top_p,
      top_k: submit.top_k,
      stop_token_ids: [...submit.stop_token_ids],
      ignore_eos: endsItself(submit, eosTokenIds) === 'no',
      sampling_seed: submit.seed,
    },
  };
}

/** SGLang's `ignore_eos` ignores every stop token; where only the model's own are to be, the others are seen to here. */
function endsItself(submit: Submit, eosTokenIds: readonly number[]): 'yes' | 'no' {
  return eosTokenIds.every((id) => submit.stop_token_ids.includes(id)) ? 'yes' : 'no';
}

export class EventReader {
  readonly #submit: Submit;
  /** Empty where SGLang stops by itself. */
  readonly #ownStops: ReadonlySet<number>;
  #begun = false;
  #seen = 0;
  #finished = false;

  constructor(submit: Submit, eosTokenIds: readonly number[]) {
    this.#submit = submit;
    this.#ownStops = new Set(endsItself(submit, eosTokenIds) === 'yes' ? [] : submit.stop_token_ids);
  }

  /** Nothing more is to be read: the answer has its end. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Throws `internal` where the server did not score what it was asked to. */
  take({ output_ids, meta_info }: GenerateResponse): RequestEvent[] {
    const { rid, max_new_tokens, return_logprob } = this.#submit;
    const events: RequestEvent[] = [];
    if (!this.#begun) events.push(this.#input(meta_info));
    this.#begun = true;

    const count = Math.min(meta_info.completion_tokens, max_new_tokens) - this.#seen;
    // A prompt that is only scored may come with the one token that was sampled behind it.
    const fresh = output_ids
      .slice(output_ids.length - (meta_info.completion_tokens - this.#seen))
      .slice(0, count);
    const stop = fresh.findIndex((id) => this.#ownStops.has(id));
    const ids = stop < 0 ? fresh : fresh.slice(0, stop + 1);
    const tail = <T>(list: readonly T[] | null | undefined): T[] =>
      (list ?? []).slice((list ?? []).length - fresh.length).slice(0, ids.length);
    if (ids.length > 0) {
      const logprobs = tail(meta_info.output_token_logprobs).map(([logprob]) => logprob ?? 0);
      const top = tail(meta_info.output_top_logprobs).map(topList);
      events.push({
        type: 'tokens',
        rid,
        ids,
        logprobs: return_logprob ? logprobs : null,
        top: return_logprob && this.#submit.top_logprobs_num > 0 ? top : null,
      });
      this.#seen += ids.length;
    }

    const reason = stop < 0 ? meta_info.finish_reason : { type: 'stop' as const, matched: ids.at(-1) };
    if (reason === null) return events;
    this.#finished = true;
    events.push({
      type: 'finish',
      rid,
      reason: reason.type,
      matched: typeof reason.matched === 'number' ? reason.matched : null,
      code: null,
      message: null,
    });
    return events;
  }

  #input(meta: GenerateResponse['meta_info']): RequestEvent {
    const { rid, input_ids, return_logprob, logprob_start_len: start, top_logprobs_num } = this.#submit;
    const scored = return_logprob && start >= 0;
    const logprobs = (meta.input_token_logprobs ?? []).map(([logprob]) => logprob);
    const expected = input_ids.length - start;
    if (scored && logprobs.length !== expected)
      throw new ApprenticeError(
        'internal',
        `The engine scored ${logprobs.length} positions of ${expected}.`,
        'Its version is another than the one that this worker was made for; see README.',
      );
    return {
      type: 'input',
      rid,
      cached_tokens: meta.cached_tokens,
      logprobs: scored ? logprobs : null,
      top: scored && top_logprobs_num > 0 ? (meta.input_top_logprobs ?? []).map(topList) : null,
    };
  }
}

/** `[logprob, id]` pairs, best first, as SGLang has them. */
function topList(list: readonly TokenLogprob[] | null): TopLists[number] {
  return (
    list?.flatMap(([logprob, id]): [number, number][] => (logprob === null ? [] : [[logprob, id]])) ?? null
  );
}
