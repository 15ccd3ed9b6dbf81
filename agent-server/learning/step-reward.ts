/** Step rewards for agents that act in several steps: outcome plus process votes, standardised in a group. */

export interface StepRow {
  /** Rollouts of one task. */
  readonly group: string;
  /** Index of the step inside its rollout. */
  readonly step: number;
  /** Reward of the whole rollout. */
  readonly outcome: number;
  /** Judges' votes on this step; null counts for nothing. */
  readonly votes: readonly (number | null)[];
}

const EPSILON = 1e-6;
/** Below it, a spread is the rounding of equal rewards. */
const ROUNDING = 1e-12;

/**
 * reward = outcome + mean(votes); advantage = (reward - mean) / (std + 1e-6) over the rows of the same group
 * and step, with the population's standard deviation. Null, no sample, for a row that is alone or whose
 * rewards do not differ: there is nothing to compare it with. Takes and returns S rows in order.
 */
export function stepAdvantages(rows: readonly StepRow[]): (number | null)[] {
  const rewards = rows.map((row) => row.outcome + meanOfVotes(row.votes));
  const members = new Map<string, number[]>();
  for (const [i, row] of rows.entries()) {
    const key = JSON.stringify([row.group, row.step]);
    members.set(key, [...(members.get(key) ?? []), i]);
  }
  const advantages = new Array<number | null>(rows.length).fill(null);
  for (const indices of members.values()) {
    const values = indices.map((i) => rewards[i] ?? 0);
    if (Math.max(...values) - Math.min(...values) < ROUNDING) continue;
    const centre = mean(values);
    const deviation = Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
    for (const [j, i] of indices.entries()) {
      advantages[i] = ((values[j] ?? centre) - centre) / (deviation + EPSILON);
    }
  }
  return advantages;
}

function meanOfVotes(votes: readonly (number | null)[]): number {
  const valid = votes.filter((vote) => vote !== null);
  return valid.length === 0 ? 0 : mean(valid);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
