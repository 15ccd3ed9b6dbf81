/** Any OpenAI-compatible endpoint as a judge: POST <url>/chat/completions, no stream. */
import { z } from 'zod';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { JudgeConfig } from './config.ts';
import type { Judge, JudgeAnswer, JudgePrompt } from './judge.ts';

export type OpenAiEndpoint = Pick<
  JudgeConfig,
  'limitField' | 'maxTokens' | 'temperature' | 'promptUsdPerMillion' | 'completionUsdPerMillion'
> & { readonly url: string; readonly model: string; readonly key: string | null };

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
    const { url, model } = this.#endpoint;
    const completion = await this.#complete(prompt, signal);
    const { usage } = completion;
    const [promptTokens, completionTokens] = [usage?.prompt_tokens ?? null, usage?.completion_tokens ?? null];
    const text = completion.choices[0]?.message.content ?? null;
    if (text === null) throw failure('internal', url, 'answered without content');
    return {
      text,
      model: completion.model ?? model,
      promptTokens,
      completionTokens,
      costUsd: usage?.cost ?? this.#cost(promptTokens, completionTokens),
    };
  }

  async #complete(prompt: JudgePrompt, signal: AbortSignal): Promise<z.infer<typeof Completion>> {
    const { url, key, model, limitField, maxTokens, temperature } = this.#endpoint;
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
      const response = await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
        body: JSON.stringify(body),
        // A redirect would carry the key and the user's text to where nobody sent them.
        redirect: 'error',
        signal,
      });
      const text = await bounded(response, url);
      if (!response.ok) throw refused(url, response.status, text);
      const completion = Completion.safeParse(JSON.parse(text));
      if (completion.success) return completion.data;
      throw failure('internal', url, `answered ${z.prettifyError(completion.error)}`);
    } catch (thrown) {
      if (thrown instanceof ApprenticeError) throw thrown;
      if (signal.aborted)
        throw new ApprenticeError('aborted', 'The vote was cancelled.', '', { cause: thrown });
      if (thrown instanceof SyntaxError) throw failure('internal', url, 'answered what is not JSON', thrown);
      throw failure('judge_unavailable', url, `cannot be reached: ${reasonOf(thrown)}`, thrown);
    }
  }

  #cost(promptTokens: number | null, completionTokens: number | null): number | null {
    const { promptUsdPerMillion, completionUsdPerMillion } = this.#endpoint;
    if (promptUsdPerMillion === null || completionUsdPerMillion === null) return null;
    if (promptTokens === null || completionTokens === null) return null;
    return (promptTokens * promptUsdPerMillion + completionTokens * completionUsdPerMillion) / 1e6;
  }
}

async function bounded(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.byteLength;
    // Leaving the loop cancels the rest of the body.
    if (sizeBytes > MAX_BODY_BYTES)
      throw failure('internal', url, `answered more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Busy, or broken for now: later it may answer. All else is the request's fault, and stays. */
function refused(url: string, status: number, text: string): ApprenticeError {
  const later = status === 408 || status === 409 || status === 425 || status === 429 || status >= 500;
  const said = text.slice(0, 300).replace(/\s+/g, ' ');
  return failure(later ? 'judge_unavailable' : 'internal', url, `answered status ${status}: ${said}`);
}

function failure(code: ErrorCode, url: string, what: string, cause?: unknown): ApprenticeError {
  return new ApprenticeError(
    code,
    `The judge at ${new URL(url).origin} ${what}.`,
    'See "judge" in config.json.',
    { cause },
  );
}

/** fetch says only "fetch failed"; why stands in its cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return toApprenticeError(cause ?? thrown).message;
}
