/**
 * A judge's raw answer to a vote. The vote is the last line that is JSON and carries the key of this very call; no
 * text that the judge was shown holds the key, so nothing quoted or imitated from there can be taken for one. What
 * does not parse is no vote: a score is never guessed.
 */
import { z } from 'zod';
import { MAX_HINT_CHARACTERS, MAX_WORD_HINTS } from '../hindsight/hints.ts';
import type { Score } from '../store/types.ts';

export interface ParsedVote {
  readonly score: Score;
  /** Best first. */
  readonly hints: readonly string[];
}

const VoteLine = z.object({
  key: z.string(),
  score: z.union([z.literal(1), z.literal(0), z.literal(-1)]),
  hints: z.array(z.string()).optional(),
});

/** Longer answers are not read: a vote has a few hundred characters. */
const MAX_RAW_CHARACTERS = 65_536;

/** Null when there is no vote under `key`, or when there are two that differ in their score. */
export function parseVote(raw: string, key: string): ParsedVote | null {
  if (raw.length > MAX_RAW_CHARACTERS) return null;
  const votes = raw.split('\n').flatMap((line) => voteOf(line.trim(), key));
  const last = votes.at(-1);
  if (last === undefined || votes.some(({ score }) => score !== last.score)) return null;
  return {
    score: last.score,
    hints: (last.hints ?? []).slice(0, MAX_WORD_HINTS).map((hint) => hint.slice(0, MAX_HINT_CHARACTERS)),
  };
}

function voteOf(line: string, key: string): z.infer<typeof VoteLine>[] {
  if (!line.startsWith('{') || !line.endsWith('}')) return [];
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    // Prose in braces: no vote.
    return [];
  }
  const vote = VoteLine.safeParse(json);
  return vote.success && vote.data.key === key ? [vote.data] : [];
}
