/** What happens when the adapter of the version that serves cannot be loaded: its nearest usable ancestor serves. */
import type { ServingOptions } from '../engine/serving.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';

/**
 * For `ServingOptions.onLost`. A damaged or missing adapter fails its version for good. One of another base model
 * is merely retired: with that model set again it can be gone back to.
 */
export function fallBack(
  store: Pick<Store, 'fallBack'>,
  log: Log,
  nowMs: () => number,
): NonNullable<ServingOptions['onLost']> {
  return (lost, error) => {
    const fate = error.code === 'base_model_mismatch' ? 'retired' : 'failed';
    const instead = store.fallBack(lost, fate, error.message, nowMs());
    const after =
      fate === 'failed'
        ? 'What it had learnt is trained again.'
        : 'Go back to it once its base model is set again.';
    log.error(
      `${lost} cannot be loaded and does not serve any more; ${instead} serves instead. ${after} ${error.message}`,
    );
    return instead;
  };
}
