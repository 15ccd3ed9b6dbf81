/** This machine's copy of the last answer about learning: by it a window knows at start whether there is anything to connect for. */
import type { Memento } from 'vscode';
import type { LearningState } from '../agent-server/protocol/editor.ts';

const KEY = 'apprentice.lastLearningState';

export function lastLearningState(memory: Pick<Memento, 'get'>): LearningState {
  return memory.get<LearningState>(KEY, 'unasked');
}

export async function rememberLearningState(memory: Memento, state: LearningState): Promise<void> {
  if (state !== lastLearningState(memory)) await memory.update(KEY, state);
}
