/** One turn that an editor asked for: its answer streamed as it comes. What is asked and what the answer means is the caller's. */
import { randomUUID } from 'node:crypto';
import type { Serving } from '../engine/serving.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { TurnRequest, TurnRunner } from '../gateway/turn-runner.ts';
import type { Proposal } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { SessionId, type TurnId, type WeightVersion } from '../protocol/ids.ts';

export interface EditorTurnParts {
  turns: TurnRunner;
  prompts: PromptSource;
  serving: Serving;
}

export interface Asked {
  /** Begins the session's id; each turn has a session of its own. */
  task: 'commit' | 'edit';
  messages: TurnRequest['messages'];
  subject: TurnRequest['subject'];
  maxNewTokens: number;
  temperature: number;
}

/** Waits for an engine that is still starting, so that the first press of a button is not refused. */
export async function readyPrompt(
  { prompts, serving }: EditorTurnParts,
  signal: AbortSignal,
): Promise<ChatPrompt> {
  (await serving.acquire(signal)).release();
  return prompts.get(signal);
}

/** Throws as TurnRunner.run does; `aborted` after `signal`. */
export async function editorTurn(
  { turns }: EditorTurnParts,
  { task, messages, subject, maxNewTokens, temperature }: Asked,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<Proposal> {
  const events = turns.run(
    {
      session: { origin: 'editor', id: SessionId.parse(`${task}-${randomUUID()}`) },
      client: null,
      takenFor: 'main',
      tools: [],
      calls: 'several',
      messages,
      subject,
      version: 'serving',
      sampling: { maxNewTokens, temperature, topP: 1, stop: [], seed: null, topLogprobs: 0 },
    },
    signal,
  );
  let begun: { turnId: TurnId; version: WeightVersion } | undefined;
  for await (const event of events) {
    if (event.type === 'begun') begun = event;
    else if (event.type === 'text' && event.delta !== '') onText(event.delta);
    else if (event.type === 'finished' && begun !== undefined) {
      const { turnId, version } = begun;
      return { turnId, version, text: event.text, finishReason: event.finishReason };
    }
  }
  throw new ApprenticeError('internal', 'A turn ended without an answer.', 'See logs/agent-server.log.');
}
