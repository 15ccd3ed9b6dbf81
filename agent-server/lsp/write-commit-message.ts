/** A commit-message turn for an editor: its staged change as a request, the answer streamed as it comes. */
import {
  COMMIT_MESSAGE_SAMPLING,
  commitMessageMessages,
  DIFF_BUDGET_TOKENS,
  diffSha256,
} from '../environment/commit-message.ts';
import type { WriteCommitMessage } from './editor-service.ts';
import { type EditorTurnParts, editorTurn, readyPrompt } from './editor-turn.ts';

export function commitMessageWriter(parts: EditorTurnParts): WriteCommitMessage {
  return async (change, onText, signal) => {
    const { tokenizer } = await readyPrompt(parts, signal);
    const { max_new_tokens: maxNewTokens, temperature } = COMMIT_MESSAGE_SAMPLING.explore;
    const { repositoryRoot, stagedTree, head, replaces, diff } = change;
    return editorTurn(
      parts,
      {
        task: 'commit',
        messages: commitMessageMessages(diff, DIFF_BUDGET_TOKENS, tokenizer.countTokens),
        subject: {
          kind: 'commit_message',
          repositoryRoot,
          stagedTree,
          diffSha256: diffSha256(diff),
          head,
          replaces,
        },
        maxNewTokens,
        temperature,
      },
      onText,
      signal,
    );
  };
}
