/** Any OpenAI-compatible endpoint as a judge, the worker's second model among them: POST .../chat/completions, no stream. */
import { z } from 'zod';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { JudgeConfig } from './config.ts';
import type { Judge, JudgeAnswer, JudgePrompt } from './judge.ts';

export type OpenAiEndpoint = Pick<
  JudgeConfig,
  'limitField' | 'maxTokens' | 'temperature' | 'promptUsdPerMillion' | 'completionUsdPerMillion'
> & {
  readonly model: string;
  /** For messages: `https://host`. */
  readonly place: string;
  /** Throws what fetch does, or the error to be told. */
  readonly send: (body: string, signal: AbortSignal) => Promise<Response>;
};

/** An endpoint by its base URL. */
export function overHttp(url: string, key: string | null): Pick<OpenAiEndpoint, 'place' | 'send'> {
  return {
    place: new URL(url).origin,
    send: (body, signal) =>
      fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
        body,
        // A redirect would carry the key and the user's text to where nobody sent them.
        redirect: 'error',
        signal,
      }),
  };
}

/** A judge's answer has a few kilobytes; what sends more is no judge. */
const MAX_BODY_BYTES = 1024 * 1024;

const Completion = z.object({
  model: z.string().nullish(),
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
  usage: z
    .object({
      prompt_tokens: z.number().int().nullish(),
      completion_tokens: z.number().int().nullish(),
      /** In US dollars, where a router says so. */
      cost: z.number().nullish(),
    })
    .nullish(),
});

export class OpenAiJudge implements Judge {
  readonly name = 'openai';
  readonly present = true;
  readonly #endpoint: OpenAiEndpoint;

  constructor(endpoint: OpenAiEndpoint) {
    this.#endpoint = endpoint;
  }

  async ask(prompt: JudgePrompt, signal: AbortSignal): Promise<JudgeAnswer> {
    const { place, model } = this.#endpoint;
    const completion = await this.#complete(prompt, signal);
    const { usage } = completion;
    const [promptTokens, completionTokens] = [usage?.prompt_tokens ?? null, usage?.completion_tokens ?? null];
    const text = completion.choices[0]?.message.content ?? null;
    if (text === null) throw failure('internal', place, 'answered without content');
    return {
      text,
      model: completion.model ?? model,
      promptTokens,
      completionTokens,
      costUsd: usage?.cost ?? this.#cost(promptTokens, completionTokens),
    };
  }

  async #complete(prompt: JudgePrompt, signal: AbortSignal): Promise<z.infer<typeof Completion>> {
    const { place, send, model, limitField, maxTokens, temperature } = this.#endpoint;
    const body = {
      model,
      messages: [
        { role: 'system', content: prompt.system },
        { role: 'user', content: prompt.user },
      ],
      [limitField]: maxTokens,
      ...(temperature === null ? {} : { temperature }),
    };
    try {
      const response = await send(JSON.stringify(body), signal);
      const text = await bounded(response, place);
      if (!response.ok) throw refused(place, response.status, text);
      const completion = Completion.safeParse(JSON.parse(text));
      if (completion.success) return completion.data;
      throw failure('internal', place, `answered ${z.prettifyError(completion.error)}`);
    } catch (thrown) {
      if (thrown instanceof ApprenticeError) throw thrown;
      if (signal.aborted)
        throw new ApprenticeError('aborted', 'The vote was cancelled.', '', { cause: thrown });
      if (thrown instanceof SyntaxError)
        throw failure('internal', place, 'answered what is not JSON', thrown);
      throw failure('judge_unavailable', place, `cannot be reached: ${reasonOf(thrown)}`, thrown);
    }
  }

  #cost(promptTokens: number | null, completionTokens: number | null): number | null {
    const { promptUsdPerMillion, completionUsdPerMillion } = this.#endpoint;
    if (promptUsdPerMillion === null || completionUsdPerMillion === null) return null;
    if (promptTokens === null || completionTokens === null) return null;
    return (promptTokens * promptUsdPerMillion + completionTokens * completionUsdPerMillion) / 1e6;
  }
}

async function bounded(response: Response, place: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.byteLength;
    // Leaving the loop cancels the rest of the body.
    if (sizeBytes > MAX_BODY_BYTES)
      throw failure('internal', place, `answered more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Busy, or broken for now: later it may answer. All else is the request's fault, and stays. */
function refused(place: string, status: number, text: string): ApprenticeError {
  const later = status === 408 || status === 409 || status === 425 || status === 429 || status >= 500;
  const said = text.slice(0, 300).replace(/\s+/g, ' ');
  return failure(later ? 'judge_unavailable' : 'internal', place, `answered status ${status}: ${said}`);
}

function failure(code: ErrorCode, place: string, what: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(code, `The judge at ${place} ${what}.`, 'See "judge" in config.json.', {
    cause,
  });
}

/** fetch says only "fetch failed"; why stands in its cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return toApprenticeError(cause ?? thrown).message;
}
