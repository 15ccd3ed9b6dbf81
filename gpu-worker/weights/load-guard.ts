/**
 * Lets the engine load verified versions only, by their name: which folder that is, the worker alone knows, and a path
 * that a client sends is never opened.
 */
import type { Handler, Hono } from 'hono';
import { LoadLoraAdapterRequest, type LoraUpdateResponse } from '../../agent-server/protocol/engine.ts';
import { ApprenticeError, errorResponse, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { WeightVersion } from '../../agent-server/protocol/ids.ts';
import type { Weights } from './weights.ts';

/**
 * Stands before the engine's POST /load_lora_adapter and hands it the version's own folder. A body that is no such
 * request is passed on: the route refuses it in its own words. What does not verify is answered here, in SGLang's shape
 * with OpenAI's error beside it.
 */
export function loadGuard(weights: Weights, routes: Hono): Handler {
  return async (context) => {
    const text = await context.req.text();
    const { url, signal } = context.req.raw;
    const pass = (body: string) =>
      routes.fetch(
        new Request(url, { method: 'POST', body, signal, headers: { 'content-type': 'application/json' } }),
      );
    const request = parseRequest(text);
    if (!request) return pass(text);
    try {
      const folder = await folderOf(weights, request);
      return await pass(JSON.stringify({ ...request, lora_path: folder }));
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      const { status, body } = errorResponse(error);
      const refusal: LoraUpdateResponse = { success: false, error_message: error.message };
      return Response.json({ ...refusal, ...body }, { status });
    }
  };
}

async function folderOf(weights: Weights, { lora_name, lora_path }: LoadLoraAdapterRequest): Promise<string> {
  const version = WeightVersion.safeParse(lora_name);
  if (!version.success || lora_path !== lora_name)
    throw new ApprenticeError(
      'adapter_invalid',
      'Versions are loaded by name, from the folders of this worker.',
      'Send the name (policy@v3) as lora_name and as lora_path.',
    );
  const folder = weights.folder(version.data);
  await weights.verify(folder);
  return folder;
}

function parseRequest(text: string): LoadLoraAdapterRequest | null {
  try {
    return LoadLoraAdapterRequest.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // Not JSON: the route says so in its own words.
    return null;
  }
}
