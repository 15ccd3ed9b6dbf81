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

const VoteScore = z.union([z.literal(1), z.literal(0), z.literal(-1)]);
const Hints = z.array(z.string()).default([]);

/** Longer answers are not read: a vote has a few hundred characters. */
const MAX_RAW_CHARACTERS = 65_536;

/** Null when there is no vote under `key`, or when there are two that differ in their score. */
export function parseVote(raw: string, key: string): ParsedVote | null {
  if (raw.length > MAX_RAW_CHARACTERS) return null;
  const votes = raw.split('\n').flatMap((line) => voteOf(line.trim(), key) ?? []);
  const last = votes.at(-1);
  return last === undefined || votes.some(({ score }) => score !== last.score) ? null : last;
}

/** The vote of one line, `{"<key>":score,"hints":[...]}`. */
function voteOf(line: string, key: string): ParsedVote | null {
  if (!line.startsWith('{') || !line.endsWith('}')) return null;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    // Prose in braces: no vote.
    return null;
  }
  const fields = z.record(z.string(), z.unknown()).safeParse(json);
  const score = VoteScore.safeParse(fields.data?.[key]);
  const hints = Hints.safeParse(fields.data?.['hints']);
  if (!score.success || !hints.success) return null;
  const kept = hints.data.slice(0, MAX_WORD_HINTS).map((hint) => hint.slice(0, MAX_HINT_CHARACTERS));
  return { score: score.data, hints: kept };
}
