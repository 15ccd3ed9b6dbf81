/** A commit-message turn for an editor: its staged change as a request, the answer streamed as it comes. */
import { randomUUID } from 'node:crypto';
import type { Serving } from '../engine/serving.ts';
import {
  COMMIT_MESSAGE_SAMPLING,
  commitMessageMessages,
  DIFF_BUDGET_TOKENS,
  diffSha256,
} from '../environment/commit-message.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { TurnRunner } from '../gateway/turn-runner.ts';
import type { Proposal } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { SessionId, type TurnId, type WeightVersion } from '../protocol/ids.ts';
import type { WriteCommitMessage } from './editor-service.ts';

export function commitMessageWriter(parts: {
  turns: TurnRunner;
  prompts: PromptSource;
  serving: Serving;
}): WriteCommitMessage {
  return async (change, onText, signal): Promise<Proposal> => {
    // Waits for an engine that is still starting, so that the first press of the button is not refused.
    (await parts.serving.acquire(signal)).release();
    const { tokenizer } = await parts.prompts.get(signal);
    const sampling = COMMIT_MESSAGE_SAMPLING.explore;
    const events = parts.turns.run(
      {
        session: { origin: 'editor', id: SessionId.parse(`commit-${randomUUID()}`) },
        client: null,
        takenFor: 'main',
        tools: [],
        calls: 'several',
        messages: commitMessageMessages(change.diff, DIFF_BUDGET_TOKENS, tokenizer.countTokens),
        subject: {
          kind: 'commit_message',
          repositoryRoot: change.repositoryRoot,
          stagedTree: change.stagedTree,
          diffSha256: diffSha256(change.diff),
          head: change.head,
        },
        version: 'serving',
        sampling: {
          maxNewTokens: sampling.max_new_tokens,
          temperature: sampling.temperature,
          topP: 1,
          stop: [],
          seed: null,
          topLogprobs: 0,
        },
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
  };
}
