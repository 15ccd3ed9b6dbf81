/**
 * What a request asked for, as far as it can be told without a model: whether the turn was to mend a failure. Told
 * by the failure's own name, by English words, or by the session having brought the failure in.
 */

/** Titles shorter than this are words of everyday language. */
const MIN_TITLE_CHARS = 6;
const MAX_REQUEST_CHARS = 8_000;

const THING =
  '(?:tests?|specs?|suite|build|errors?(?! messages?)|failures?|warnings?|compil\\w+|lint\\w*|type ?check\\w*|ci)';
const FAILING = '(?:fail\\w*|broken|breaks|red)';
const TO_FIX = [
  new RegExp(`\\b(?:fix|repair|resolve|solve|debug|mend)\\w*\\b[^.!?\\n]{0,80}\\b${THING}\\b`, 'i'),
  /\b(?:make|get)\b[^.!?\n]{0,80}\b(?:tests?|specs?|suite|build|ci|it|them|everything|project|code|pytest|jest|vitest|mocha)\b[^.!?\n]{0,40}\b(?:pass(?:es|ing)?|green|compil\w+|build(?:s|ing)?)\b/i,
  new RegExp(`\\b${FAILING}\\s+(?:\\w+\\s+)?${THING}\\b|\\b${THING}\\b[^.!?\\n]{0,30}\\b${FAILING}\\b`, 'i'),
];
const FOR_FAILING_TEST =
  /\b(?:write|add|create)\b[^.!?\n]{0,60}\b(?:failing test|test (?:that|which) fails|regression test|reproduc\w+)/i;

/** The request asks for failing tests, errors or a build to be mended. */
export function asksToFix(request: string): boolean {
  const text = request.slice(0, MAX_REQUEST_CHARS);
  return !FOR_FAILING_TEST.test(text) && TO_FIX.some((pattern) => pattern.test(text));
}

/** The request asks for a test that fails, as one does before mending. */
export function asksForFailingTest(request: string): boolean {
  return FOR_FAILING_TEST.test(request.slice(0, MAX_REQUEST_CHARS));
}

/** Does the request name one of these: a test's title, a message, a code such as `TS2322`? */
export function namesOne(request: string, names: readonly string[]): boolean {
  const text = request.slice(0, MAX_REQUEST_CHARS).toLowerCase();
  return names.some((name) => name.length >= MIN_TITLE_CHARS && text.includes(name.toLowerCase()));
}
