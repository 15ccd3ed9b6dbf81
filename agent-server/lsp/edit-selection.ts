/** An inline-edit turn for an editor: its selected lines as a request, the lines to put in their place as the answer. */
import {
  INLINE_EDIT_TEMPERATURE,
  inlineEditRequest,
  readInlineEditAnswer,
} from '../environment/inline-edit.ts';
import type { EditSelection } from './editor-service.ts';
import { type EditorTurnParts, editorTurn, readyPrompt } from './editor-turn.ts';

export function selectionEditor(parts: EditorTurnParts): EditSelection {
  return async (selection, onText, signal) => {
    const { tokenizer } = await readyPrompt(parts, signal);
    const { messages, maxNewTokens } = inlineEditRequest(selection, tokenizer.countTokens);
    const { repositoryRoot, language, documentSha256 } = selection;
    const proposal = await editorTurn(
      parts,
      {
        task: 'edit',
        messages,
        subject: { kind: 'inline_edit', repositoryRoot, language, documentSha256 },
        maxNewTokens,
        temperature: INLINE_EDIT_TEMPERATURE,
      },
      onText,
      signal,
    );
    return { ...proposal, replacement: readInlineEditAnswer(proposal, selection.code) };
  };
}
