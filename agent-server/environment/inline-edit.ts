/**
 * Inline edits: selected lines as a request, and the lines to put in their place read off the answer. Pure. How code is
 * shown and answered is code-block.ts.
 */
import type { SelectedCode } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage } from '../protocol/gateway.ts';
import { dedented, fenced, indented } from './code-block.ts';

/** Code wants to be right more than it wants to be new; above 0, so that asking again is worth it. */
export const INLINE_EDIT_TEMPERATURE = 0.3;

/** The code itself is never cut: what is not seen would be lost. */
export const MAX_CODE_TOKENS = 1_500;
/** Lines around the code, the nearest ones. */
const BEFORE_TOKENS = 120;
const AFTER_TOKENS = 60;
/** An edit is as long as the code that it edits, and now and then twice as long. */
const ANSWER_SHARE = 2;
const ANSWER_TOKENS = 256;

type CountTokens = (text: string) => number;

/**
 * The messages that ask for an edit, and how long the answer may be. The instruction stands first: by it lessons are
 * found. The language stands in the system message, so that a lesson serves requests of its own language. Throws
 * `invalid_request` when the code is too long. `countTokens` counts one text without special tokens.
 */
export function inlineEditRequest(
  { instruction, language, fileName, code, before, after }: Omit<SelectedCode, 'documentSha256'>,
  countTokens: CountTokens,
): { messages: PlainMessage[]; maxNewTokens: number } {
  const codeTokens = countTokens(code);
  if (codeTokens > MAX_CODE_TOKENS) {
    throw new ApprenticeError(
      'invalid_request',
      `The selection has ${codeTokens} tokens; at most ${MAX_CODE_TOKENS} can be edited at once.`,
      'Select fewer lines.',
    );
  }
  const block = (text: string): string => fenced(text, language);
  const above = nearestLines(before.split('\n').toReversed(), BEFORE_TOKENS, countTokens).toReversed();
  const below = nearestLines(after.split('\n'), AFTER_TOKENS, countTokens);
  const around = (title: string, lines: readonly string[]): string[] =>
    lines.every((line) => line.trim() === '') ? [] : [`${title}\n${block(lines.join('\n'))}`];
  const task =
    code.trim() === ''
      ? `Write the code to insert into ${fileName} here.`
      : `Edit this code of ${fileName}:\n${block(dedented(code).text)}`;
  return {
    messages: [
      {
        role: 'system',
        content: `You edit ${language} code. Answer with the edited code alone, in one fenced block.`,
      },
      {
        role: 'user',
        content: [
          instruction,
          ...around('It follows this:', above),
          ...around('This follows it:', below),
          task,
        ].join('\n\n'),
      },
    ],
    maxNewTokens: ANSWER_SHARE * codeTokens + ANSWER_TOKENS,
  };
}

/**
 * The lines in place of `code`, LF between them, as deep in the file as those were. '' takes them all away. Throws
 * `answer_unusable` when the answer was cut off, or has no code in it.
 */
export function readInlineEditAnswer(
  { text, finishReason }: { text: string; finishReason: 'stop' | 'length' | 'abort' },
  code: string,
): string {
  if (finishReason !== 'stop') {
    throw new ApprenticeError(
      'answer_unusable',
      'The edit was cut off before its end.',
      'Select fewer lines, or ask for less at once.',
    );
  }
  const answer = text.replaceAll(/\r\n?/g, '\n');
  const found = blockOf(answer) ?? (looksLikeCode(answer) ? answer : null);
  if (found === null) {
    throw new ApprenticeError(
      'answer_unusable',
      `The model answered without code: "${excerpt(answer)}"`,
      'Ask again, in other words.',
    );
  }
  return indented(dedented(withoutBlankEnds(found)).text, dedented(code).indent);
}

const FENCE = /^ {0,3}(`{3,}|~{3,})[^`]*$/;

/** What the first fenced block holds; a block that is never closed goes to the end. Null: there is none. */
function blockOf(answer: string): string | null {
  const lines = answer.split('\n');
  const open = lines.findIndex((line) => FENCE.test(line));
  const fence = FENCE.exec(lines[open] ?? '')?.[1];
  if (fence === undefined) return null;
  const close = lines.findIndex(
    (line, at) => at > open && line.trim().startsWith(fence) && isFence(line.trim()),
  );
  return lines.slice(open + 1, close < 0 ? undefined : close).join('\n');
}

function isFence(line: string): boolean {
  return /^(`+|~+)$/.test(line);
}

/** How a model that talks about code begins and ends its sentences; a comment begins with its own mark. */
const SENTENCE = /^(?:[-*] |\d+\. )?["'(]?[A-Z][\w'’]* [^={}<>;]*[.:!?]["')]?$/;

/** Small models forget the fence. */
function looksLikeCode(answer: string): boolean {
  return answer.trim() !== '' && !answer.split('\n').some((line) => SENTENCE.test(line.trim()));
}

function withoutBlankEnds(text: string): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.trim() !== '');
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return first < 0 ? '' : lines.slice(first, last + 1).join('\n');
}

/** From the first on, as many as fit. */
function nearestLines(lines: readonly string[], budgetTokens: number, countTokens: CountTokens): string[] {
  const kept: string[] = [];
  let left = budgetTokens;
  for (const line of lines) {
    left -= countTokens(`${line}\n`);
    if (left < 0) break;
    kept.push(line);
  }
  return kept;
}

function excerpt(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ');
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`;
}
