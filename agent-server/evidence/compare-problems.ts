/** Errors of compilers and linters before and after: what appeared and what vanished is what counts. */
import type { Diagnostic } from '../protocol/observations.ts';
import type { Finding } from './compare-tests.ts';
import type { ObservationContext } from './context.ts';
import { asksToFix, namesOne } from './intent.ts';
import { earlierRuns, factsOf } from './run-facts.ts';
import { problemWords } from './words.ts';

/** Comments that silence a tool where they stand. An error that vanishes by one has not been mended. */
const SILENCED =
  /@ts-(?:ignore|expect-error|nocheck)|eslint-disable|biome-ignore|# ?type: ?ignore|# ?noqa|# ?pyright: ?ignore|# ?mypy: ?ignore|\/\/ ?nolint|#\[allow\(|@SuppressWarnings|#pragma (?:warning disable|GCC diagnostic ignored)|\bas any\b|NOLINT/;

export interface ProblemQuestion {
  /** What the turn wrote. */
  readonly proposal: string;
  readonly context: ObservationContext;
}

/** `before` null: not known; then every error counts as the turn's. */
export function compareProblems(
  before: readonly Diagnostic[] | null,
  now: readonly Diagnostic[],
  question: ProblemQuestion,
): Finding {
  const was = new Set((before ?? []).map(keyOf));
  const is = new Set(now.map(keyOf));
  const appeared = now.filter((one) => !was.has(keyOf(one)));
  const vanished = [...was].filter((key) => !is.has(key)).length;
  const first = appeared[0] ?? now[0];
  const words = first === undefined ? null : problemWords(first);
  if (appeared.length === 0 && vanished === 0) {
    if (now.length === 0) return { score: null, detail: 'No errors.', words: null };
    return wasToFix(now, question.context)
      ? { score: -1, detail: `${errors(now.length)} still there.`, words }
      : { score: 0, detail: `The same ${errors(now.length)} as before.`, words };
  }
  if (appeared.length > vanished) {
    return { score: -1, detail: `${errors(appeared.length)} appeared, ${vanished} vanished.`, words };
  }
  if (appeared.length === vanished) {
    return { score: 0, detail: `As many errors appeared as vanished: ${vanished}.`, words };
  }
  if (SILENCED.test(question.proposal)) {
    return { score: 0, detail: 'Errors vanished, but the answer silences the tool.', words };
  }
  return { score: 1, detail: `${errors(vanished)} vanished, ${appeared.length} appeared.`, words: null };
}

/** The line is left out: it moves with every edit above it. */
function keyOf(one: Diagnostic): string {
  return `${one.path}\n${one.source}\n${one.code}\n${one.message}`;
}

/** The request asks for it or names one; or an earlier run of the session was without these errors. */
function wasToFix(now: readonly Diagnostic[], context: ObservationContext): boolean {
  const names = now.flatMap((one) => (one.code === null ? [one.message] : [one.message, one.code]));
  if (asksToFix(context.request) || namesOne(context.request, names)) return true;
  const keys = new Set(now.map(keyOf));
  let thereLater = false;
  for (const run of earlierRuns(context)) {
    const earlier = factsOf(run);
    if (earlier.errors.some((one) => keys.has(keyOf(one)))) thereLater = true;
    else if (thereLater && (earlier.reports.length > 0 || earlier.exitCode === 0)) return true;
  }
  return false;
}

function errors(count: number): string {
  return count === 1 ? '1 error' : `${count} errors`;
}
