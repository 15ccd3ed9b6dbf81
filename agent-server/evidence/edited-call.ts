/** What an answer would have been whose call writes something else: the same, but for that one text. Pure. */
import type { ObservedToolCall } from './context.ts';
import { editArguments } from './edit-arguments.ts';

/** What the call wrote: the one text that it put in place of another, or the whole file. Null: several, or none. */
export function writtenBy(call: ObservedToolCall): string | null {
  const args = editArguments(call.arguments);
  if (args === null) return null;
  const [only, ...others] = args.replaced;
  if (only !== undefined) return others.length === 0 ? only.after : null;
  return args.content;
}

/**
 * `answer` as the model wrote it, with `text` in place of what its call wrote. Null where that does not stand in it just
 * once, as JSON: calls in other forms, or with other escapes, are not put together anew.
 */
export function withWritten(answer: string, call: ObservedToolCall, text: string): string | null {
  const written = writtenBy(call);
  if (written === null) return null;
  const [before, after, ...others] = answer.split(`: ${JSON.stringify(written)}`);
  const [tight, rest, ...more] = answer.split(`:${JSON.stringify(written)}`);
  if (before !== undefined && after !== undefined && others.length === 0 && rest === undefined)
    return `${before}: ${JSON.stringify(text)}${after}`;
  if (tight !== undefined && rest !== undefined && more.length === 0 && after === undefined)
    return `${tight}:${JSON.stringify(text)}${rest}`;
  return null;
}
