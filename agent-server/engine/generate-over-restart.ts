/**
 * Generation that outlives a restart of the engine while nobody has seen a token of it. Once one was seen it
 * cannot: the same tokens would not come again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { GenerateRequestInput, GenerateResponse } from '../protocol/engine.ts';
import { ApprenticeError, type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import type { Engine } from './engine.ts';
import type { Serving } from './serving.ts';

const ATTEMPTS = 3;
/** A broken connection is seen at once, the restart behind it only when the link tells: asked again after this. */
const SETTLE_MS = 250;
const LOST: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'engine_unavailable',
  'worker_unavailable',
  'adapter_not_loaded',
]);

/** `Engine.generate` of a leased version, begun again after it was loaded again. Throws the last error. */
export async function* generateOverRestart(
  parts: { engine: Pick<Engine, 'generate'>; serving: Serving },
  version: WeightVersion,
  request: GenerateRequestInput,
  signal: AbortSignal,
): AsyncGenerator<GenerateResponse> {
  for (let attempt = 1; ; attempt++) {
    let seen = false;
    try {
      for await (const answer of parts.engine.generate(request, signal)) {
        seen = true;
        yield answer;
      }
      return;
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      if (seen || attempt === ATTEMPTS || !LOST.has(error.code)) throw error;
      await delay(SETTLE_MS * attempt, undefined, { signal }).catch(() => {
        throw new ApprenticeError('aborted', 'The request was cancelled while the engine restarted.', '');
      });
      // The caller's own lease keeps the version; this one waits until it is loaded again.
      (await parts.serving.acquire(signal, version)).release();
    }
  }
}
