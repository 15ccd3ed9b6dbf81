/** How sure is a mean of few differences? Pure: randomness comes as a seed. */
import { seededRandom } from '../learning/random.ts';

/** Enough for a bound at 0.9 to be steady in its second digit; a millisecond for some ten values. */
const RESAMPLES = 2_000;

export interface Interval {
  mean: number;
  /** Ends of the interval. */
  low: number;
  high: number;
}

/**
 * Mean of `values` with its percentile bootstrap interval (Efron 1979): the values are drawn with replacement
 * 2,000 times, and the interval reaches from the 1 - c to the c quantile of the means, so that each end by itself
 * is a one-sided bound at confidence c. Paired differences go in as values. BCa was left out: its corrections
 * rest on a skewness that four to sixteen values do not tell. With so few the interval is rather too narrow;
 * the caller's margin has to allow for that. Null without values.
 */
export function bootstrapMean(values: readonly number[], confidence: number, seed: number): Interval | null {
  if (values.length === 0) return null;
  const random = seededRandom(seed);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let draw = 0; draw < values.length; draw += 1)
      sum += values[Math.floor(random() * values.length)] ?? 0;
    return sum / values.length;
  }).sort((a, b) => a - b);
  return {
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    low: quantile(means, 1 - confidence),
    high: quantile(means, confidence),
  };
}

/** Of sorted values, the smallest that at least a share `q` of them do not exceed. */
function quantile(sorted: readonly number[], q: number): number {
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return sorted[index] ?? Number.NaN;
}
