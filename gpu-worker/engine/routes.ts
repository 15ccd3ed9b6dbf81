/**
 * The engine's HTTP: SGLang's routes (sglang 0.5.23, `entrypoints/http_server.py`) over the embedded engine.
 * Who may call them is decided by whoever mounts this app.
 */
import { basename } from 'node:path';
import { type Context, Hono } from 'hono';
import {
  AbortRequest,
  DetokenizeRequest,
  GenerateRequest,
  type GenerateResponse,
  LoadLoraAdapterRequest,
  type LoraUpdateResponse,
  PauseGenerationRequest,
  TokenizeRequest,
  UnloadLoraAdapterRequest,
  UpdateWeightsRequest,
} from '../../agent-server/protocol/engine.ts';
import { ApprenticeError, errorResponse, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { BASE_VERSION } from '../../agent-server/protocol/ids.ts';
import { ChatRequest, chatChunks, chatCompletion, toGenerateRequest } from './chat.ts';
import { generate, type Serving } from './generate.ts';
import { clientGone, parseBody, streamItems, useErrorShape } from './http.ts';
import type { EngineMetrics } from './metrics.ts';
import { RoutedRequest } from './routed-request.ts';
import type { TokenEngine } from './token-engine.ts';
import type { ModelTokenizer } from './tokenizer.ts';

const HEALTH_TIMEOUT_MS = 20_000;

export interface EngineRoutesOptions {
  engine: TokenEngine;
  tokenizer: ModelTokenizer;
  log: (line: string) => void;
  /** Counts every request, and is told at `GET /metrics`; null: metrics are off. */
  metrics?: Pick<EngineMetrics, 'record' | 'text'> | null;
}

/** An app to mount at `/`. */
export function engineRoutes({ engine, tokenizer, log, metrics = null }: EngineRoutesOptions): Hono {
  let baseVersion: string = BASE_VERSION;
  const modelName = basename(engine.model);
  const serving: Serving = { engine, tokenizer, baseVersion: () => baseVersion };

  async function* counted(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateResponse, void> {
    const beganMs = performance.now();
    const secondsSoFar = () => (performance.now() - beganMs) / 1000;
    let secondsToFirstToken: number | null = null;
    let last: GenerateResponse | null = null;
    try {
      for await (const response of generate(serving, request, signal)) {
        if (response.output_ids.length > 0) secondsToFirstToken ??= secondsSoFar();
        last = response;
        yield response;
      }
    } finally {
      metrics?.record({
        streamed: request.stream,
        seconds: secondsSoFar(),
        secondsToFirstToken,
        promptTokens: last?.meta_info.prompt_tokens ?? 0,
        cachedTokens: last?.meta_info.cached_tokens ?? 0,
        generatedTokens: last?.meta_info.completion_tokens ?? 0,
        aborted:
          last === null ||
          last.meta_info.finish_reason === null ||
          last.meta_info.finish_reason.type === 'abort',
      });
    }
  }

  async function lastOf(request: GenerateRequest, signal: AbortSignal): Promise<GenerateResponse> {
    let last: GenerateResponse | null = null;
    for await (const response of counted(request, signal)) last = response;
    if (last) return last;
    throw new ApprenticeError(
      'internal',
      'The engine ended a request without an answer.',
      'See logs/engine.log.',
    );
  }

  const app = new Hono();
  useErrorShape(app, log);

  app.get('/health', (c) => c.body(null, engine.state().state === 'ready' ? 200 : 503));
  app.get('/health_generate', async (c) => {
    const signal = AbortSignal.any([clientGone(c).signal, AbortSignal.timeout(HEALTH_TIMEOUT_MS)]);
    await lastOf(GenerateRequest.parse({ input_ids: [0], sampling_params: { max_new_tokens: 1 } }), signal);
    return c.body(null, 200);
  });
  for (const path of ['/model_info', '/get_model_info']) {
    app.get(path, (c) =>
      c.json({
        model_path: engine.model,
        tokenizer_path: engine.model,
        is_generation: true,
        weight_version: baseVersion,
      }),
    );
  }
  for (const path of ['/server_info', '/get_server_info']) {
    app.get(path, (c) =>
      c.json({
        version: 'apprentice-embedded',
        model_path: engine.model,
        context_length: tokenizer.files.contextLength,
        max_total_num_tokens: tokenizer.files.contextLength,
        device: engine.info?.device ?? null,
        dtype: engine.info?.dtype ?? null,
      }),
    );
  }
  app.get('/v1/models', (c) => {
    const card = (id: string, root: string, parent: string | null) => ({
      id,
      object: 'model',
      created: 0,
      owned_by: 'apprentice',
      root,
      parent,
      max_model_len: tokenizer.files.contextLength,
    });
    const adapters = [...engine.adapters].map(([name, folder]) => card(name, folder, modelName));
    return c.json({ object: 'list', data: [card(modelName, engine.model, null), ...adapters] });
  });
  app.get('/metrics', async (c) => {
    if (metrics === null)
      throw new ApprenticeError('not_found', 'Metrics are off.', 'Start the worker with --metrics.');
    return c.body(await metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
  app.get('/worker/tokenizer', (c) => c.json(tokenizer.files));

  app.post('/generate', async (c) => {
    const request = await parseBody(c, RoutedRequest);
    const gone = clientGone(c);
    if (!request.stream) return c.json(await lastOf(request, gone.signal));
    return await streamItems(c, counted(request, gone.signal), gone);
  });
  app.post('/v1/chat/completions', async (c) => {
    const chat = await parseBody(c, ChatRequest);
    const request = toGenerateRequest(serving, modelName, chat);
    const gone = clientGone(c);
    const createdS = Math.floor(Date.now() / 1000);
    if (!request.stream)
      return c.json(chatCompletion(chat.model, createdS, await lastOf(request, gone.signal)));
    return await streamItems(c, chatChunks(counted(request, gone.signal), chat.model, createdS), gone);
  });
  app.post('/v1/tokenize', async (c) => {
    const { prompt, add_special_tokens } = await parseBody(c, TokenizeRequest);
    const tokens = tokenizer.encode(prompt, { addSpecialTokens: add_special_tokens });
    return c.json({ tokens, count: tokens.length, max_model_len: tokenizer.files.contextLength });
  });
  app.post('/v1/detokenize', async (c) => {
    const { tokens, skip_special_tokens } = await parseBody(c, DetokenizeRequest);
    return c.json({ text: tokenizer.decode(tokens, { skipSpecialTokens: skip_special_tokens }) });
  });

  /** SGLang's body; when it failed, with OpenAI's error beside it. */
  async function loraUpdate(c: Context, update: Promise<void>): Promise<Response> {
    const body = (error: ApprenticeError | null): LoraUpdateResponse => ({
      success: error === null,
      error_message: error?.message ?? null,
      loaded_adapters: Object.fromEntries(engine.adapters),
    });
    try {
      await update;
      return c.json(body(null));
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      const response = errorResponse(error);
      return new Response(JSON.stringify({ ...body(error), ...response.body }), {
        status: response.status,
        headers: { 'content-type': 'application/json' },
      });
    }
  }
  app.post('/load_lora_adapter', async (c) => {
    const { lora_name, lora_path } = await parseBody(c, LoadLoraAdapterRequest);
    return await loraUpdate(c, engine.loadAdapter(lora_name, lora_path, clientGone(c).signal));
  });
  app.post('/unload_lora_adapter', async (c) => {
    const { lora_name } = await parseBody(c, UnloadLoraAdapterRequest);
    return await loraUpdate(c, engine.unloadAdapter(lora_name, clientGone(c).signal));
  });
  app.post('/pause_generation', async (c) => {
    const { mode } = await parseBody(c, PauseGenerationRequest);
    if (mode === 'retract') {
      throw new ApprenticeError(
        'invalid_request',
        'mode retract is not supported here.',
        'Use in_place or abort.',
      );
    }
    if (mode === 'abort') engine.abortAll();
    await engine.pause(clientGone(c).signal);
    return c.json({ message: 'Generation paused successfully.', status: 'ok' });
  });
  app.post('/continue_generation', async (c) => {
    await engine.resume(clientGone(c).signal);
    return c.json({ message: 'Generation continued successfully.', status: 'ok' });
  });
  app.post('/update_weights_from_disk', async (c) => {
    const { model_path, weight_version } = await parseBody(c, UpdateWeightsRequest);
    await engine.updateWeights(model_path, clientGone(c).signal);
    baseVersion = weight_version ?? baseVersion;
    return c.json({ success: true, message: 'Succeeded to update model weights.', num_paused_requests: 0 });
  });
  app.post('/abort_request', async (c) => {
    const { rid, abort_all } = await parseBody(c, AbortRequest);
    if (abort_all) engine.abortAll();
    else engine.abort(rid);
    return c.body(null, 200);
  });
  return app;
}
