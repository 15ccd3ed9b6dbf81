/**
 * SGLang's HTTP where it differs from ours (0.5.23, `entrypoints/http_server.py`, `managers/tokenizer_manager.py`,
 * `utils/auth.py`): two keys, unknown fields let by, every refusal a 400, errors in the middle of a stream that began
 * with 200, the base's version in every answer, adapters that come back by themselves, aborts by prefix, pieces of a
 * stream that do not repeat what was said.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { GenerateRequest, type GenerateResponse } from '../../../agent-server/protocol/engine.ts';
import { toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { generate, type Serving } from '../../../gpu-worker/engine/generate.ts';
import type { Flag } from './arguments.ts';

const ADMIN: ReadonlySet<string> = new Set([
  '/load_lora_adapter',
  '/unload_lora_adapter',
  '/pause_generation',
  '/continue_generation',
  '/update_weights_from_disk',
  '/abort_request',
]);
const Sampling = z.object({
  max_new_tokens: z.number().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().nullish(),
  stop_token_ids: z.array(z.number()).nullish(),
  ignore_eos: z.boolean().nullish(),
  sampling_seed: z.number().nullish(),
});
const Generate = z.object({
  rid: z.string(),
  input_ids: z.array(z.number()),
  sampling_params: Sampling.nullish(),
  stream: z.boolean().nullish(),
  return_logprob: z.boolean().nullish(),
  logprob_start_len: z.number().nullish(),
  top_logprobs_num: z.number().nullish(),
  lora_path: z.string().nullish(),
});
const Lora = z.object({ lora_name: z.string(), lora_path: z.string().default('') });

/** `folders`: what the process itself remembers of adapters, loaded or not. */
export function sglangDialect(serving: Serving, flags: ReadonlyMap<Flag, readonly string[]>): Hono {
  const { engine } = serving;
  const app = new Hono();
  const one = (flag: Flag): string | null => flags.get(flag)?.[0] ?? null;
  const remembered = new Map<string, string>();
  const running = new Set<string>();
  const modelPath = one('--model-path');
  let weightVersion = one('--weight-version') ?? 'default';

  app.use(async (c, next) => {
    // The first of several headers, as Starlette reads them: a router adds its own behind.
    const given = c.req
      .header('authorization')
      ?.split(',')[0]
      ?.replace(/^Bearer /, '');
    const [key, admin] = [one('--api-key'), one('--admin-api-key')];
    const asked = ADMIN.has(c.req.path) ? (admin ?? key) : key;
    const open = /^\/(health|ready|metrics)/.test(c.req.path);
    if (open || asked === null || asked === given) return await next();
    return c.json({ error: 'Unauthorized' }, 401);
  });
  for (const path of ['/health', '/health_generate'])
    app.get(path, (c) => c.body(null, engine.state().state === 'ready' ? 200 : 503));
  app.get('/model_info', (c) =>
    c.json({
      model_path: modelPath,
      served_model_name: one('--served-model-name') ?? modelPath,
      tokenizer_path: modelPath,
      is_generation: true,
      weight_version: weightVersion,
      tool_call_parser: one('--tool-call-parser'),
    }),
  );
  app.get('/server_info', (c) =>
    c.json({
      version: '0.5.23',
      model_path: modelPath,
      context_length: serving.tokenizer.files.contextLength,
      tool_call_parser: one('--tool-call-parser'),
    }),
  );
  app.get('/v1/models', (c) => {
    const base = one('--served-model-name') ?? modelPath;
    const adapters = [...engine.adapters].map(([id, root]) => ({ id, root, parent: base }));
    return c.json({ object: 'list', data: [{ id: base, root: base, parent: null }, ...adapters] });
  });

  app.post('/generate', async (c) => {
    const asked = Generate.parse(await c.req.json());
    const gone = new AbortController();
    c.req.raw.signal.addEventListener('abort', () => gone.abort(), { once: true });
    const answers = answer(asked, gone.signal);
    if (!asked.stream) {
      let last: object = {};
      try {
        for await (const said of answers) last = said;
      } catch (thrown) {
        return c.json({ error: { message: toApprenticeError(thrown).message } }, 400);
      }
      return c.json(last);
    }
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => gone.abort());
      try {
        for await (const said of answers) await stream.writeSSE({ data: JSON.stringify(said) });
      } catch (thrown) {
        const { message } = toApprenticeError(thrown);
        const error = { message, type: 'invalid_request_error', code: 400, retryable: false };
        await stream.writeSSE({ data: JSON.stringify({ error }) });
      }
      await stream.writeSSE({ data: '[DONE]' });
    });
  });

  async function* answer(asked: z.infer<typeof Generate>, signal: AbortSignal): AsyncGenerator<object> {
    const { rid, input_ids, lora_path, sampling_params: params } = asked;
    const folder = lora_path && remembered.get(lora_path);
    if (lora_path && !folder)
      throw new Error(
        `Got LoRA adapter that has never been loaded: ${lora_path}\nAll loaded adapters: dict_keys([]).`,
      );
    if (lora_path && folder && !engine.adapters.has(lora_path))
      await engine.loadAdapter(lora_path, folder, signal);
    const request = GenerateRequest.parse({
      rid,
      input_ids,
      lora_path: lora_path ?? null,
      return_logprob: asked.return_logprob ?? false,
      logprob_start_len: asked.logprob_start_len ?? -1,
      top_logprobs_num: asked.top_logprobs_num ?? 0,
      sampling_params: {
        max_new_tokens: params?.max_new_tokens ?? 128,
        temperature: params?.temperature ?? 1,
        top_p: params?.top_p ?? 1,
        top_k: params?.top_k ?? -1,
        ignore_eos: params?.ignore_eos ?? false,
        stop_token_ids: params?.ignore_eos ? [] : params?.stop_token_ids,
        sampling_seed: params?.sampling_seed,
      },
    });
    running.add(rid);
    let told = 0;
    try {
      for await (const said of generate(serving, request, signal)) {
        const whole = {
          ...said,
          meta_info: { ...said.meta_info, weight_version: weightVersion },
        };
        yield asked.stream && flags.has('--incremental-streaming-output') ? piece(whole, told) : whole;
        told = said.output_ids.length;
      }
    } finally {
      running.delete(rid);
    }
  }

  /** SGLang's body; a refusal is a 400. */
  async function lora(c: Context, update: () => Promise<void>): Promise<Response> {
    const loaded_adapters = () => Object.fromEntries(engine.adapters);
    try {
      await update();
      return c.json({ success: true, error_message: '', loaded_adapters: loaded_adapters() });
    } catch (thrown) {
      const error_message = toApprenticeError(thrown).message;
      return c.json({ success: false, error_message, loaded_adapters: loaded_adapters() }, 400);
    }
  }
  app.post('/load_lora_adapter', async (c) => {
    const { lora_name, lora_path } = Lora.parse(await c.req.json());
    return await lora(c, async () => {
      if (engine.adapters.has(lora_name)) throw new Error(`LoRA with name ${lora_name} already exists.`);
      await engine.loadAdapter(lora_name, lora_path, c.req.raw.signal);
      remembered.set(lora_name, lora_path);
    });
  });
  app.post('/unload_lora_adapter', async (c) => {
    const { lora_name } = Lora.parse(await c.req.json());
    return await lora(c, async () => {
      if (!engine.adapters.has(lora_name)) throw new Error(`LoRA with name ${lora_name} does not exist.`);
      await engine.unloadAdapter(lora_name, c.req.raw.signal);
    });
  });
  app.post('/pause_generation', async (c) => {
    const { mode } = z.object({ mode: z.string().default('abort') }).parse(await c.req.json());
    if (mode === 'abort') engine.abortAll();
    await engine.pause(c.req.raw.signal);
    return c.json({ message: 'Generation paused successfully.', status: 'ok' });
  });
  app.post('/continue_generation', async (c) => {
    await engine.resume(c.req.raw.signal);
    return c.json({ message: 'Generation continued successfully.', status: 'ok' });
  });
  app.post('/update_weights_from_disk', async (c) => {
    const { model_path, weight_version } = z
      .object({ model_path: z.string(), weight_version: z.string().nullish() })
      .parse(await c.req.json());
    try {
      await readFile(join(model_path, 'config.json'));
      await engine.updateWeights(model_path, c.req.raw.signal);
      weightVersion = weight_version ?? weightVersion;
      return c.json({ success: true, message: 'Succeeded to update model weights.', num_paused_requests: 0 });
    } catch (thrown) {
      const { message } = toApprenticeError(thrown);
      return c.json({ success: false, message, num_paused_requests: 0 }, 400);
    }
  });
  app.post('/abort_request', async (c) => {
    const { rid, abort_all } = z
      .object({ rid: z.string().default(''), abort_all: z.boolean().default(false) })
      .parse(await c.req.json());
    for (const id of running) if (abort_all || id.startsWith(rid)) engine.abort(id);
    return c.body(null, 200);
  });
  app.post('/parse_function_call', async (c) => {
    const { text } = z.object({ text: z.string() }).parse(await c.req.json());
    const Call = z.object({ name: z.string(), arguments: z.unknown() });
    const found = [...text.matchAll(/<tool_call>(.*?)<\/tool_call>/gs)].map(([, json]) =>
      Call.parse(JSON.parse(json ?? '')),
    );
    const calls = found.map((call, tool_index) => ({
      tool_index,
      name: call.name,
      parameters: JSON.stringify(call.arguments),
    }));
    return c.json({ normal_text: text.split('<tool_call>')[0], calls });
  });
  return app;
}

/** What a response has beyond its first `told` tokens. */
function piece(whole: GenerateResponse, told: number): GenerateResponse {
  const { output_ids, meta_info } = whole;
  const { output_token_logprobs: logprobs, output_top_logprobs: top } = meta_info;
  return {
    text: '',
    output_ids: output_ids.slice(told),
    meta_info: {
      ...meta_info,
      ...(logprobs && { output_token_logprobs: logprobs.slice(told) }),
      ...(top && { output_top_logprobs: top.slice(told) }),
    },
  };
}
