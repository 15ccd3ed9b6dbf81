/** POST /v1/chat/completions of the engine itself, for tools that speak to it directly; turns go through the gateway. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { GenerateRequest, type GenerateResponse } from '../../agent-server/protocol/engine.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Serving } from './generate.ts';

const TextPart = z.object({ type: z.literal('text'), text: z.string() });
const Content = z.union([
  z.string(),
  z.array(TextPart).transform((parts) => parts.map((part) => part.text).join('')),
]);

export const ChatRequest = z.strictObject({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: Content })).min(1),
  stream: z.boolean().nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  max_completion_tokens: z.number().int().min(1).nullish(),
  temperature: z.number().min(0).max(5).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(8)]).nullish(),
  seed: z.number().int().nullish(),
  lora_path: z.string().nullish(),
  rid: z.string().nullish(),
  user: z.string().nullish(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

const DEFAULT_MAX_TOKENS = 512;

/** The chat request as /generate takes it: template applied, `model` read as the base's or an adapter's name. */
export function toGenerateRequest(serving: Serving, baseName: string, chat: ChatRequest): GenerateRequest {
  const isAdapter = serving.engine.adapters.has(chat.model);
  if (chat.model !== baseName && !isAdapter) {
    const known = [baseName, ...serving.engine.adapters.keys()].join(', ');
    throw new ApprenticeError('model_not_found', `There is no model ${chat.model}.`, `Known: ${known}.`);
  }
  const prompt = serving.tokenizer.renderChat(chat.messages);
  return GenerateRequest.parse({
    rid: chat.rid ?? randomUUID(),
    input_ids: serving.tokenizer.encode(prompt, { addSpecialTokens: false }),
    lora_path: chat.lora_path ?? (isAdapter ? chat.model : null),
    stream: chat.stream ?? false,
    sampling_params: {
      max_new_tokens: chat.max_completion_tokens ?? chat.max_tokens ?? DEFAULT_MAX_TOKENS,
      temperature: chat.temperature ?? 1,
      top_p: chat.top_p ?? 1,
      stop: chat.stop,
      sampling_seed: chat.seed,
    },
  });
}

/** The one body of a request without `stream`. */
export function chatCompletion(model: string, createdS: number, last: GenerateResponse): object {
  const { id, finish_reason, prompt_tokens, completion_tokens } = last.meta_info;
  return {
    id,
    object: 'chat.completion',
    created: createdS,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: last.text },
        finish_reason: finish_reason?.type ?? null,
      },
    ],
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  };
}

/** The chunks of a request with `stream`: what each cumulative response adds. */
export async function* chatChunks(
  responses: AsyncIterable<GenerateResponse>,
  model: string,
  createdS: number,
): AsyncGenerator<object, void, undefined> {
  let shown = 0;
  for await (const response of responses) {
    const content = response.text.slice(shown);
    shown = response.text.length;
    const finish = response.meta_info.finish_reason;
    if (content === '' && finish === null) continue;
    yield {
      id: response.meta_info.id,
      object: 'chat.completion.chunk',
      created: createdS,
      model,
      choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: finish?.type ?? null }],
    };
  }
}
