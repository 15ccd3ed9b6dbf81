/** An answer that nobody watches being written: its end, out of the engine's stream. */
import type { GenerateRequestInput } from '../protocol/engine.ts';
import type { Engine } from './engine.ts';

export interface WholeAnswer {
  responseIds: number[];
  text: string;
  /** `length` also where the engine gave it up: either way it is no whole answer. */
  finishReason: 'stop' | 'length';
}

/** Throws what the engine throws. */
export async function wholeAnswer(
  engine: Pick<Engine, 'generate'>,
  request: GenerateRequestInput,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  let answer: WholeAnswer = { responseIds: [], text: '', finishReason: 'length' };
  for await (const { output_ids, text, meta_info } of engine.generate(request, signal)) {
    const finishReason = meta_info.finish_reason?.type === 'stop' ? 'stop' : 'length';
    answer = { responseIds: output_ids, text, finishReason };
  }
  return answer;
}
