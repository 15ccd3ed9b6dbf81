/** When the user turns learning on, off, or pauses it. */
import type { LearningState } from '../protocol/editor.ts';
import type { Store } from '../store/store.ts';

/** Tells of the user's choice, not of every other setting. Returns the disposer. */
export function onLearningChange(store: Store, tell: (state: LearningState) => void): () => void {
  let last = store.learning();
  return store.onChange((what) => {
    if (what !== 'settings') return;
    const state = store.learning();
    if (state !== last) tell(state);
    last = state;
  });
}
