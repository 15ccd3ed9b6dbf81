/** The few calls that the engine's contract suite and bench make, over plain fetch, answers parsed by the protocol. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import {
  type GenerateRequestInput,
  GenerateResponse,
  LoraUpdateResponse,
} from '../../agent-server/protocol/engine.ts';
import { ErrorBody } from '../../agent-server/protocol/errors.ts';

const Tokens = z.object({ tokens: z.array(z.number()) });

export class EngineClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async get(path: string): Promise<Response> {
    return await fetch(`${this.#url}${path}`);
  }

  async post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return await fetch(`${this.#url}${path}`, { method: 'POST', body: text, ...(signal && { signal }) });
  }

  async generate(request: GenerateRequestInput): Promise<GenerateResponse> {
    const response = await this.post('/generate', request);
    return GenerateResponse.parse(await expectOk(response));
  }

  /** Every event of a stream; ends at `[DONE]` and throws when the stream ends without it. */
  async *stream(request: GenerateRequestInput, signal?: AbortSignal): AsyncGenerator<GenerateResponse> {
    const response = await this.post('/generate', { ...request, stream: true }, signal);
    if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
    const events = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream());
    for await (const { data } of events) {
      if (data === '[DONE]') return;
      yield GenerateResponse.parse(JSON.parse(data));
    }
    throw new Error('The stream ended without [DONE].');
  }

  async tokenize(prompt: string): Promise<number[]> {
    return Tokens.parse(await expectOk(await this.post('/v1/tokenize', { prompt }))).tokens;
  }

  async load(name: string, folder: string): Promise<LoraUpdateResponse> {
    const response = await this.post('/load_lora_adapter', { lora_name: name, lora_path: folder });
    return LoraUpdateResponse.parse(await response.json());
  }

  async unload(name: string): Promise<LoraUpdateResponse> {
    return LoraUpdateResponse.parse(
      await (await this.post('/unload_lora_adapter', { lora_name: name })).json(),
    );
  }

  /** The status and code of a request that must be refused. */
  async refused(path: string, body: unknown): Promise<{ status: number; code: string | null }> {
    const response = await this.post(path, body);
    return { status: response.status, code: ErrorBody.parse(await response.json()).error.code };
  }
}

async function expectOk(response: Response): Promise<unknown> {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return await response.json();
}
