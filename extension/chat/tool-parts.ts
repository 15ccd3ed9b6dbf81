/**
 * The text in what a tool of VS Code gives back: plain parts, parts of prompt-tsx (a tree of elements, as JSON), and data
 * that is text. Images are left out: the model reads text. Names no editor, so that both bundles can use it.
 */
import { z } from 'zod';

const Data = z.object({
  mimeType: z.string().regex(/^(?:text\/|application\/json\b)/),
  data: z.instanceof(Uint8Array),
});
/** `type` 2 is a text, 1 an element; a line break stands before what says so. (microsoft/vscode-prompt-tsx, base/jsonTypes.ts) */
const Node = z.object({
  type: z.number(),
  text: z.string().optional(),
  lineBreakBefore: z.unknown().optional(),
  children: z.array(z.unknown()).optional(),
});
const Tree = z.object({ value: z.object({ node: z.unknown() }) });
const MAX_DEPTH = 100;

/** `TextPart`: VS Code's class of plain parts. */
export function textOfParts(
  parts: readonly unknown[],
  TextPart: new (value: string) => { readonly value: string },
): string {
  return parts
    .map((part) => {
      if (part instanceof TextPart) return part.value;
      const data = Data.safeParse(part).data;
      if (data !== undefined) return new TextDecoder().decode(data.data);
      const tree = Tree.safeParse(part).data;
      return tree === undefined ? '' : textOfNode(tree.value.node, 0);
    })
    .join('');
}

function textOfNode(value: unknown, depth: number): string {
  const node = depth > MAX_DEPTH ? undefined : Node.safeParse(value).data;
  if (node === undefined) return '';
  const own = node.text ?? '';
  const text = own + (node.children ?? []).map((child) => textOfNode(child, depth + 1)).join('');
  return node.lineBreakBefore && text !== '' ? `\n${text}` : text;
}
