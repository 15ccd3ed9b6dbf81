/** Tells the serving pointer and the prompt source what the link hears of the engine: there, gone, or started anew. */
import type { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { WorkerLink, WorkerStatus } from './worker-link.ts';

/** Returns the disposer. */
export function watchEngine(
  link: Pick<WorkerLink, 'status' | 'onStatus'>,
  serving: Serving,
  prompts: PromptSource,
): () => void {
  let epoch: string | undefined;
  const follow = (status: WorkerStatus) => {
    if (!status.connected || (status.engine.state !== 'ready' && status.engine.state !== 'busy')) {
      serving.engineStopped();
      return;
    }
    if (status.engineEpoch !== epoch) prompts.forget();
    epoch = status.engineEpoch;
    serving.engineStarted(epoch);
  };
  follow(link.status);
  return link.onStatus(follow);
}
