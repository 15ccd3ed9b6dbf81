/**
 * Votes: m independent calls of one judge about one turn, each with nonces of its own, no more at once than allowed.
 * Keeping them is the caller's, call by call, so that none that was paid for is lost; what they add up to is
 * settle.ts's; trying again is the vote loop's.
 */
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { Vote } from '../store/types.ts';
import type { JudgeConfig } from './config.ts';
import { visible } from './fence.ts';
import type { Judge } from './judge.ts';
import { parseVote } from './parse-vote.ts';
import { type JudgedTurn, judgePrompt, type Nonces } from './prompt.ts';

export interface VotingParts {
  readonly judge: Judge;
  readonly config: Pick<JudgeConfig, 'timeoutMs' | 'parallel' | 'maxCharacters'>;
  /** A word of at least 64 random bits, new at every call. */
  readonly nonce: () => string;
  readonly nowMs: () => number;
}

/** What is asked, and how many of the turn's next states are in it. */
export interface Voting {
  readonly turn: JudgedTurn;
  readonly seen: number;
  /** How many votes are still missing. */
  readonly missing: number;
}

/**
 * Asks for the missing votes and hands each to `keep` as it comes. Throws the first failure of a call, once the
 * calls that ran beside it have ended: what they brought is kept.
 */
export async function castVotes(
  parts: VotingParts,
  voting: Voting,
  keep: (vote: Vote) => void,
  signal: AbortSignal,
): Promise<void> {
  let left = voting.missing;
  while (left > 0) {
    const calls = Array.from({ length: Math.min(left, parts.config.parallel) }, async () => {
      keep(await castVote(parts, voting, signal));
    });
    const failed = (await Promise.allSettled(calls)).find((call) => call.status === 'rejected');
    if (failed !== undefined) throw toApprenticeError(failed.reason);
    left -= calls.length;
  }
}

async function castVote(parts: VotingParts, { turn, seen }: Voting, signal: AbortSignal): Promise<Vote> {
  const { judge, config, nowMs } = parts;
  const nonces = unguessable(`${turn.request}\n${turn.action}\n${turn.nextState}`, parts.nonce);
  const prompt = judgePrompt(turn, nonces, config.maxCharacters);
  const limit = AbortSignal.timeout(config.timeoutMs);
  const beganMs = nowMs();
  const answer = await judge.ask(prompt, AbortSignal.any([signal, limit])).catch((error: unknown) => {
    if (!limit.aborted || signal.aborted) throw error;
    throw new ApprenticeError(
      'timeout',
      `The judge ${judge.name} gave no answer within ${config.timeoutMs / 1000} s.`,
      'It is asked again later; config.json, judge.timeoutMs, allows it more.',
      { cause: error },
    );
  });
  const endedMs = nowMs();
  const vote = parseVote(answer.text, nonces.key);
  return {
    score: vote?.score ?? null,
    hints: [...(vote?.hints ?? [])],
    seen,
    judge: judge.name,
    model: answer.model,
    prompt: `${prompt.system}\n\n${prompt.user}`,
    raw: answer.text,
    latencyMs: Math.max(0, Math.round(endedMs - beganMs)),
    promptTokens: answer.promptTokens,
    completionTokens: answer.completionTokens,
    costUsd: answer.costUsd,
    createdAtMs: endedMs,
  };
}

/** Two different nonces that stand nowhere in what is shown: not even by chance does the data hold one. */
export function unguessable(data: string, nonce: () => string): Nonces {
  const shown = visible(data);
  const drawn = { fence: nonce(), key: nonce() };
  if (drawn.fence !== drawn.key && !shown.includes(drawn.fence) && !shown.includes(drawn.key)) return drawn;
  return unguessable(data, nonce);
}
