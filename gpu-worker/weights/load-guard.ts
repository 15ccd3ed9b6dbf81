/** Lets the engine load verified versions only: what is loaded is what was trained, from where it was published. */
import { basename } from 'node:path';
import type { MiddlewareHandler } from 'hono';
import { LoadLoraAdapterRequest, type LoraUpdateResponse } from '../../agent-server/protocol/engine.ts';
import { ApprenticeError, errorResponse, toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Weights } from './weights.ts';

/**
 * Stands before POST /load_lora_adapter. A body that is no such request passes through: the route refuses it.
 * Everything else is answered here, in SGLang's shape with OpenAI's error beside it, unless the folder verifies.
 */
export function loadGuard(weights: Weights): MiddlewareHandler {
  return async (context, next) => {
    const request = parseRequest(await context.req.text());
    if (!request) return await next();
    try {
      const lineage = await weights.verify(request.lora_path);
      if (lineage.version !== request.lora_name) {
        throw new ApprenticeError(
          'adapter_invalid',
          `${basename(request.lora_path)} cannot be loaded as ${request.lora_name}.`,
          'Load a version under its own name.',
        );
      }
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      const { status, body } = errorResponse(error);
      const refusal: LoraUpdateResponse = { success: false, error_message: error.message };
      return Response.json({ ...refusal, ...body }, { status });
    }
    return await next();
  };
}

function parseRequest(text: string): LoadLoraAdapterRequest | null {
  try {
    return LoadLoraAdapterRequest.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // Not JSON: the route says so in its own words.
    return null;
  }
}
