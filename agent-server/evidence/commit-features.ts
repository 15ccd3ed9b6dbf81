/**
 * The features of one commit message by which an author's style is told, and whether a text is a commit
 * message at all. What an author usually does is commit-style.ts's.
 */
import { cleanMessage, splitMessage } from './commit-message.ts';

/**
 * How the subject begins. type: `fix:`, `feat(scope)!:` (a lower-case type of the Conventional Commits
 * family). component: `parser: `, `net/http: `, `Docs: `. tag: `[BUILD] `. ticket: `ABC-12 `, `#12: `. emoji: an
 * emoji or `:bug: `. none: straight into the words.
 */
export type PrefixForm = 'type' | 'component' | 'tag' | 'ticket' | 'emoji' | 'none';

export interface CommitFeatures {
  prefix: PrefixForm;
  /** A type with a scope in brackets; null where the prefix is no type. */
  scoped: boolean | null;
  /** Case of the first letter after the prefix; none when the subject does not begin with a letter. */
  firstWord: 'lower' | 'upper' | 'none';
  finalPeriod: boolean;
  oneLine: boolean;
  /** Of the whole subject, prefix included. */
  subjectChars: number;
}

const TYPES =
  'build|chore|ci|deps?|docs?|feat|feature|fix|hotfix|i18n|lint|perf|refactor|release|revert|security|style|tests?|types?|ui|wip';
const PREFIXES: readonly [Exclude<PrefixForm, 'none'>, RegExp][] = [
  ['type', new RegExp(`^(?:${TYPES})(?<scope>\\([^()\\s][^()]*\\))?!?: +`)],
  ['tag', /^\[[^[\]]+\]:? +/],
  ['ticket', /^\(?(?:[A-Z][A-Z0-9]+-\d+|#\d+|GH-\d+)\)?(?::| -)? +/],
  ['emoji', /^(?:\p{Extended_Pictographic}\u{FE0F}?|:[a-z0-9_+-]+:) */u],
  ['component', /^[\p{L}\p{N}_.*@/{}<>+-]+(?:\([^()]+\))?(?:, ?[\p{L}\p{N}_.*@/{}<>+-]+)*: +/u],
];

/** What a chat model writes before the message itself. In lower case the shorter ones are components of programs. */
const LABEL =
  /^(?:(?:Answer|Changes?|Commit|Description|Diff|Message|Note|Output|Response|Subject|Summary|Title)(?: (?:title|subject|line|summary|description))?|(?:\w+ )?[Cc]ommit (?:message|title|subject)) ?:/;
/** How a chat model begins when it talks about the task and does not do it. Narrow: "The diff is cut" is a subject. */
const CHATTER =
  /^(?:sure\b[,!.]|certainly\b|of course\b|okay\b|(?:ok|yes|no|well), |i(?:'m|'ve|'d|'ll)? |as an ai\b|here(?:'s| is| are)\b|based on the\b|thank(?:s| you)\b|sorry\b|this (?:commit|change|diff|patch)\b|the (?:following|above|provided|given)\b|the (?:commit message|code changes|changes made)\b|your (?:commit|code|changes?)\b)/i;
const MARKUP = /^(?:\*\*|__|#{1,6} |[-*] |>|\|)/;
const QUOTES: readonly [string, string][] = [
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['\u201c', '\u201d'],
  ['\u00ab', '\u00bb'],
];

/**
 * The features of a message, or null when the text is none: empty, with a code fence or diff lines, in quotes
 * as a whole (or with a quote left open), markdown, a label or chatter. Such a text shares a period or a
 * length with the author by accident only, so it has no features to share.
 */
export function commitFeatures(message: string): CommitFeatures | null {
  const cleaned = cleanMessage(message);
  if (MARKUP.test(message.trimStart()) || !isMessage(cleaned)) return null;
  const { subject, body } = splitMessage(cleaned);
  let prefix: PrefixForm = 'none';
  let scoped: boolean | null = null;
  let words = subject;
  for (const [form, pattern] of PREFIXES) {
    const found = pattern.exec(subject);
    if (found === null) continue;
    prefix = form;
    if (form === 'type') scoped = found.groups?.['scope'] !== undefined;
    words = subject.slice(found[0].length);
    break;
  }
  return {
    prefix,
    scoped,
    firstWord: caseOf(words),
    finalPeriod: /[^.]\.$/.test(subject),
    oneLine: body === '',
    subjectChars: [...subject].length,
  };
}

function isMessage(cleaned: string): boolean {
  if (!/[\p{L}\p{N}]/u.test(cleaned)) return false;
  if (/```|^~~~/m.test(cleaned)) return false;
  if (/^(?:diff --git |index [0-9a-f]+\.\.|@@ |--- |\+\+\+ )/m.test(cleaned)) return false;
  const { subject } = splitMessage(cleaned);
  if (LABEL.test(subject) || CHATTER.test(subject)) return false;
  return !QUOTES.some(
    ([open, close]) => quotedWhole(cleaned, open, close) || quotedWhole(subject, open, close),
  );
}

/** In quotes from end to end, or opened and never closed. `"a" is now "b"` is neither. */
function quotedWhole(text: string, open: string, close: string): boolean {
  if (!text.startsWith(open)) return false;
  const closing = text.indexOf(close, open.length);
  return closing === -1 || /^[.\s]*$/.test(text.slice(closing + close.length));
}

function caseOf(words: string): CommitFeatures['firstWord'] {
  const first = [...words][0] ?? '';
  if (/\p{Lu}/u.test(first)) return 'upper';
  return /\p{Ll}/u.test(first) ? 'lower' : 'none';
}
