/** chrF2, the similarity of two texts by character n-grams (Popovic 2015), with sacreBLEU's conventions. */

const LONGEST_NGRAM = 6;
const BETA = 2;

/**
 * 0 to 100. Whitespace is removed, case kept. For n = 1..6: precision = shared / hypothesis n-grams, recall =
 * shared / reference n-grams (counts clipped); both are averaged over the orders that both texts are long
 * enough for, and joined as F = (1 + beta^2) P R / (beta^2 P + R), recall counting twice. Characters are code
 * points. 0 when either text is empty.
 */
export function chrf(hypothesis: string, reference: string): number {
  const hypothesisChars = [...hypothesis.replaceAll(/\s+/gu, '')];
  const referenceChars = [...reference.replaceAll(/\s+/gu, '')];
  const orders = Math.min(LONGEST_NGRAM, hypothesisChars.length, referenceChars.length);
  if (orders === 0) return 0;
  let precision = 0;
  let recall = 0;
  for (let n = 1; n <= orders; n += 1) {
    const ours = ngrams(hypothesisChars, n);
    const theirs = ngrams(referenceChars, n);
    let shared = 0;
    for (const [gram, count] of ours) shared += Math.min(count, theirs.get(gram) ?? 0);
    precision += shared / (hypothesisChars.length - n + 1) / orders;
    recall += shared / (referenceChars.length - n + 1) / orders;
  }
  if (precision + recall === 0) return 0;
  return (100 * (1 + BETA ** 2) * precision * recall) / (BETA ** 2 * precision + recall);
}

function ngrams(chars: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= chars.length; i += 1) {
    const gram = chars.slice(i, i + n).join('');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}
