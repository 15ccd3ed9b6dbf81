/** Replaces a piece of a file, once the user has reviewed it. */
import { z } from 'zod';
import { replacementOf, replaceOnce } from '../search-replace.ts';
import { type AgentTool, defineTool, ToolError } from '../tool.ts';
import { type EditParts, lf, path, reviewed, text } from './reviewed-edit.ts';

const Args = z.object({
  path,
  old_string: text.describe(
    'The text to replace, as it stands in the file, with enough lines to stand there once',
  ),
  new_string: text.describe('What stands there instead'),
});

export function editFileTool(parts: EditParts): AgentTool {
  const what = 'Replaces a piece of a file. The user reviews the change; the result says what they decided.';
  return defineTool('edit_file', what, Args, async (args, call) => {
    const place = await parts.files.changeable(args.path);
    const document = await parts.files.open(place);
    const replaced = replaceOnce(lf(document.getText()), lf(args.old_string), lf(args.new_string));
    if (replaced.kind !== 'replaced') throw new ToolError(whyNot(replaced, args.path));
    const { lines } = replaced;
    const asAnswer = (left: readonly string[]): string | null => replacementOf(lines, left);
    return reviewed(parts, document, { ...lines, asAnswer }, call);
  });
}

function whyNot(
  replaced: Exclude<ReturnType<typeof replaceOnce>, { kind: 'replaced' }>,
  named: string,
): string {
  switch (replaced.kind) {
    case 'empty':
      return 'old_string is empty. To make a new file use create_file.';
    case 'same':
      return 'old_string and new_string are the same.';
    case 'missing':
      return `old_string does not stand in ${named}. Read the file and take it as it stands there.`;
    case 'several':
      return `old_string stands in ${named} ${replaced.count} times. Take more lines along, so that it stands there once.`;
  }
}
