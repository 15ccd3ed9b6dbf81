/**
 * The agent's loop: the model answers, its call is done, the result goes back to it, until it answers without a call. Every
 * answer is a turn and every result its next state. Knows no editor: what tools do is handed in.
 */
import type { ChatPiece, GatewayCall, GatewayMessage } from '../chat/chat-stream.ts';

/** Answers to one request; what is not done by then is for the user to look at. */
export const MAX_STEPS = 25;

export interface LoopParts {
  /** The conversation as the model is to be asked it. */
  ask(messages: readonly GatewayMessage[], signal: AbortSignal): AsyncIterable<ChatPiece>;
  /** Does a call; its result. Rejects only when it was stopped. */
  call(call: GatewayCall, turnId: string, signal: AbortSignal): Promise<string>;
  /** An answer begins: its turn. */
  onTurn(turnId: string): void;
  onText(text: string): void;
}

export interface LoopEnd {
  /**
   * `answered`: it came to its end. `cut`: the last answer was too long. `steps`: there were too many. `failed`: with
   * `error`, which is an abort when the user stopped it.
   */
  readonly kind: 'answered' | 'cut' | 'steps' | 'failed';
  readonly error: unknown;
  /** Every call with its result: what came between the request and the last answer. */
  readonly steps: readonly GatewayMessage[];
  readonly answer: string;
  /** Of the last answer that began; '' when there was none. */
  readonly turnId: string;
}

/** Said to the model in place of the result of a call that was stopped; no failure, so that it counts for nothing. */
const STOPPED = 'The user stopped this before it was done.';

/** `messages` end with the request. Does not reject. */
export async function runLoop(
  parts: LoopParts,
  messages: readonly GatewayMessage[],
  signal: AbortSignal,
): Promise<LoopEnd> {
  const steps: GatewayMessage[] = [];
  let turnId = '';
  const end = (kind: LoopEnd['kind'], answer: string, error: unknown = null): LoopEnd => ({
    kind,
    error,
    steps,
    answer,
    turnId,
  });
  try {
    for (let step = 0; step < MAX_STEPS; step++) {
      let text = '';
      let call: GatewayCall | null = null;
      let cut = false;
      for await (const piece of parts.ask([...messages, ...steps], signal)) {
        if (piece.type === 'begun') {
          turnId = piece.turnId;
          parts.onTurn(turnId);
        } else if (piece.type === 'text') {
          text += piece.text;
          parts.onText(piece.text);
        } else if (piece.type === 'call') {
          // One call an answer was asked for: each has a turn and a next state of its own.
          call ??= {
            id: piece.id,
            type: 'function',
            function: { name: piece.name, arguments: piece.arguments },
          };
        } else cut = piece.reason === 'length';
      }
      if (call === null) return end(cut ? 'cut' : 'answered', text);
      steps.push({ role: 'assistant', content: text, tool_calls: [call] });
      const result = { role: 'tool' as const, content: STOPPED, tool_call_id: call.id };
      steps.push(result);
      result.content = await parts.call(call, turnId, signal);
    }
    return end('steps', '');
  } catch (error) {
    return end('failed', '', error);
  }
}
