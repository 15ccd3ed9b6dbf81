/**
 * Hints: how an answer should have been, from what followed it. Which of several teaches, and whether any does,
 * is settled when a batch is built; how a teacher is shown one is teacher-prompt.ts.
 */
import type { Reading } from '../evidence/reading.ts';
import type { Hint, HintCandidate, HintSource } from '../store/types.ts';

/** Candidates in words that a turn keeps. */
export const MAX_WORD_HINTS = 3;
/** A hint in words has more characters than this after trimming. */
export const MIN_HINT_CHARACTERS = 10;
export const MAX_HINT_SENTENCES = 3;
/** A compiler's message can be a page; a teacher's prompt is paid for in every batch. */
export const MAX_HINT_CHARACTERS = 600;

/** What the user wrote instead is the hint itself. Null when they wrote nothing. */
export function rewriteHint(rewrite: string): Hint | null {
  return rewrite.trim() === '' ? null : { kind: 'rewrite', text: rewrite };
}

/**
 * The hints of a turn, best first: the user's rewrite, then at most three in words: the user's own, a failing
 * assertion, a compiler's message, a tool's, the judge's. Each once.
 *
 * `readings` in order of time; the last of the user's wordings counts, so that one that came back to the
 * proposal takes earlier rewrites back. `judge`: the judge's candidates in its order of preference.
 */
export function hintsOf(readings: readonly Reading[], judge: readonly string[]): HintCandidate[] {
  const rewrite = rewriteHint(lastWording(readings)?.rewrite ?? '');
  const said = readings.flatMap((reading) => {
    const text = reading.words === null ? null : plainWords(reading.words);
    return text === null ? [] : [{ source: WORDS_SOURCE[reading.source], text }];
  });
  const judged = judge.flatMap((candidate) => {
    const text = directiveOf(candidate);
    return text === null ? [] : [{ source: 'judge' as const, text }];
  });
  const ranked = WORDS_ORDER.flatMap((source) =>
    // The newest of a source first: what a later run of the tests says holds for the answer as it is.
    [...said.toReversed(), ...judged].filter((one) => one.source === source),
  );
  const texts = new Set<string>();
  const words = ranked
    .filter(({ text }) => !texts.has(text) && texts.add(text))
    .slice(0, MAX_WORD_HINTS)
    .map(({ source, text }): HintCandidate => ({ kind: 'words', source, text }));
  return rewrite === null ? words : [{ ...rewrite, source: 'rewrite' }, ...words];
}

/**
 * The hints that may teach a sample. Its own rewrite alone; else its own words and the turn's others, each once:
 * which of those teaches is chosen by overlap.
 */
export function teachingHints(hint: Hint, ofTurn: readonly HintCandidate[]): HintCandidate[] {
  if (hint.kind === 'rewrite') return [{ ...hint, source: 'rewrite' }];
  const words = ofTurn.filter(({ kind }) => kind === 'words');
  // Later evidence replaces a turn's hints; what the sample was made of still counts first.
  const own: HintCandidate[] = words.some(({ text }) => text === hint.text)
    ? []
    : [{ ...hint, source: 'review' }];
  return [...own, ...words].slice(0, MAX_WORD_HINTS);
}

/** Next states that show the user's own wording; a thumb does where it brings one. */
const WORDINGS: ReadonlySet<Reading['source']> = new Set(['commit', 'user_edit', 'patch_review']);

/**
 * The last that brings a wording, or takes one back by leaving the answer as it was; not by a lesser witness: that the
 * agent's lines survive a review that reworded them says nothing against the rewording.
 */
function lastWording(readings: readonly Reading[]): Reading | undefined {
  return readings.reduce<Reading | undefined>((last, reading) => {
    const { source, score, rewrite, rank } = reading;
    const words = WORDINGS.has(source) || (source === 'thumb' && rewrite !== null);
    if (!words || score === null) return last;
    if (rewrite !== null) return reading;
    return score === 1 && rank >= (last?.rank ?? 0) ? reading : last;
  }, undefined);
}

const WORDS_SOURCE = {
  user_reply: 'review',
  user_edit: 'review',
  commit: 'review',
  patch_review: 'review',
  thumb: 'review',
  test_run: 'test',
  diagnostics: 'compiler',
  terminal: 'tool',
  task: 'tool',
  tool_result: 'tool',
  git: 'tool',
  screen: 'tool',
} as const satisfies Record<Reading['source'], HintSource>;

/** What the user says is about the answer they wanted; a program's message is about one fault of it. */
const WORDS_ORDER: readonly HintSource[] = ['review', 'test', 'compiler', 'tool', 'judge'];

const SENTENCES = new Intl.Segmenter('en', { granularity: 'sentence' });

function sentencesOf(text: string): string[] {
  return [...SENTENCES.segment(text)].map(({ segment }) => segment.trim()).filter((one) => one !== '');
}

/** One to three sentences of enough characters, or null. */
function plainWords(text: string): string | null {
  return bounded(sentencesOf(text.replaceAll('\r\n', '\n')).slice(0, MAX_HINT_SENTENCES).join(' '));
}

function bounded(text: string): string | null {
  const cut = text.length > MAX_HINT_CHARACTERS ? `${text.slice(0, MAX_HINT_CHARACTERS).trimEnd()}…` : text;
  return cut.trim().length > MIN_HINT_CHARACTERS ? cut.trim() : null;
}

/** How a model opens a hint or an item of a list. */
const LABEL = /^(?:[-*•]\s+|\d+[.)]\s+|(?:hint|feedback|suggestion|directive)\s*\d*\s*:\s*)+/iu;
/** A score, however it is dressed: `\boxed{-1}`, `Score: 0/1`, `+1`. */
const SCORE =
  /\\boxed\s*\{[^}]*\}|\b(?:score|rating|verdict|vote|grade)\b\s*(?:is|of|[:=])?\s*[+-]?\d+(?:\s*\/\s*\d+)?|^[+-]?[01]$/giu;
/** A whole sentence that only approves, or says that there is nothing to say. */
const PRAISE: readonly RegExp[] = [
  /^(?:well done|thanks?(?: you)?|none|n\/a|null)[.!]*$/iu,
  /^(?:very |really )?(?:good|great|nice|excellent|perfect)(?: (?:job|work|answer|response|one|catch))?[.!]*$/iu,
  /^(?:the|this|that|your|its?)\b[^,;:]{0,60}?\b(?:is|was|looks?|seems?)\s+(?:(?:very|really|quite|already|all|completely)\s+)?(?:good|great|correct|right|perfect|fine|excellent|accurate|helpful|appropriate)[.!]*$/iu,
  /^(?:there (?:is|are|was|were) )?no (?:further |other )?(?:hint|issue|problem|error|change|improvement|correction)s?(?: (?:is |are |was |were )?(?:found|needed|necessary|required))?[.!]*$/iu,
  /^nothing (?:needed|(?:needs )?to (?:be )?(?:add|improve|change|fix)(?:ed|d)?)[.!]*$/iu,
];

/** A judge's candidate less its labels, scores and praise; null when nothing else was in it. */
function directiveOf(candidate: string): string | null {
  const directive = sentencesOf(candidate.replaceAll('\r\n', '\n'))
    .map((sentence) => sentence.replace(LABEL, '').replaceAll(SCORE, '').trim())
    .filter((sentence) => /\p{L}/u.test(sentence) && !PRAISE.some((praise) => praise.test(sentence)));
  return bounded(directive.slice(0, MAX_HINT_SENTENCES).join(' '));
}
