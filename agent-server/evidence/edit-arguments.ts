/** The arguments that editing tools of agents commonly take, in one form. What they mean is read by others. Pure. */
import { z } from 'zod';

export interface Replaced {
  readonly before: string;
  readonly after: string;
}

export interface EditArguments {
  readonly path: string | null;
  /** A patch, in whatever form. */
  readonly patch: string | null;
  readonly replaced: readonly Replaced[];
  /** What the file is to hold as a whole. */
  readonly content: string | null;
}

const text = z.string().optional().catch(undefined);
const Replacement = z.object({
  old_string: text,
  old_str: text,
  oldText: text,
  search: text,
  new_string: text,
  new_str: text,
  newText: text,
  replace: text,
});
const Arguments = Replacement.extend({
  path: text,
  file_path: text,
  filePath: text,
  content: text,
  file_text: text,
  patch: text,
  diff: text,
  input: text,
  edits: z.array(Replacement).optional().catch(undefined),
});

/** Null for what is no JSON object: such a call did nothing. */
export function editArguments(json: string): EditArguments | null {
  const parsed = Arguments.safeParse(objectOf(json));
  if (!parsed.success) return null;
  const args = parsed.data;
  return {
    path: args.path ?? args.file_path ?? args.filePath ?? null,
    patch: args.patch ?? args.diff ?? args.input ?? null,
    replaced: [args, ...(args.edits ?? [])].flatMap(replacedOf),
    content: args.content ?? args.file_text ?? null,
  };
}

/** Only the lines that differ: tools take some context along on both sides. */
export function changedLines({ before, after }: Replaced): { removed: string[]; added: string[] } {
  const [removed, added] = [linesOf(before), linesOf(after)];
  while (removed.length > 0 && added.length > 0 && removed[0] === added[0]) {
    removed.shift();
    added.shift();
  }
  while (removed.length > 0 && added.length > 0 && removed.at(-1) === added.at(-1)) {
    removed.pop();
    added.pop();
  }
  return { removed, added };
}

function replacedOf(one: z.infer<typeof Replacement>): Replaced[] {
  const before = one.old_string ?? one.old_str ?? one.oldText ?? one.search;
  const after = one.new_string ?? one.new_str ?? one.newText ?? one.replace;
  return before === undefined || after === undefined ? [] : [{ before, after }];
}

function linesOf(value: string): string[] {
  return value === '' ? [] : value.replaceAll('\r\n', '\n').split('\n');
}

function objectOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
