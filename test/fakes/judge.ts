/**
 * A Judge without a model: it takes the key from its prompt, as a model would, and answers with the next of the
 * votes that a test laid out, or with what `reply` says. Stricter than a real one: it answers no more often than was
 * laid out.
 */
import type { Judge, JudgeAnswer, JudgePrompt } from '../../agent-server/judge/judge.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Score } from '../../agent-server/store/types.ts';

/** A vote, or text that is none, or what the call throws. */
export type Reply = { score: Score; hints?: readonly string[] } | string | ApprenticeError;

export const AWAY = new ApprenticeError('judge_unavailable', 'The fake judge is away.', 'Bring it back.');

export class FakeJudge implements Judge {
  readonly name = 'fake';
  present = true;
  readonly prompts: JudgePrompt[] = [];
  readonly replies: Reply[] = [];
  /** What a call is answered; the next of `replies` unless a test says otherwise. */
  reply: (prompt: JudgePrompt) => Reply = () => {
    const reply = this.replies.shift();
    if (reply === undefined) throw new Error('No reply is laid out for this call.');
    return reply;
  };
  /** Calls that run now, and the most that ever ran at once. */
  running = 0;
  mostRunning = 0;
  /** Calls whose signal was aborted. */
  aborted = 0;
  /** Before each answer; a test holds calls still here. */
  beforeAnswer: (prompt: JudgePrompt, signal: AbortSignal) => Promise<void> = async () => {};

  async ask(prompt: JudgePrompt, signal: AbortSignal): Promise<JudgeAnswer> {
    const reply = this.reply(prompt);
    this.prompts.push(prompt);
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const cancelled = Promise.withResolvers<never>();
    const cancel = (): void => {
      this.aborted += 1;
      cancelled.reject(new ApprenticeError('aborted', 'The vote was cancelled.', ''));
    };
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      await Promise.race([this.beforeAnswer(prompt, signal), cancelled.promise]);
    } finally {
      signal.removeEventListener('abort', cancel);
      this.running -= 1;
    }
    if (reply instanceof ApprenticeError) throw reply;
    const text = typeof reply === 'string' ? reply : `So be it.\n${voteLine(prompt, reply)}`;
    return { text, model: 'fake-model', promptTokens: 10, completionTokens: 5, costUsd: null };
  }
}

/** The line that a judge which keeps to the form ends with. */
export function voteLine(
  prompt: JudgePrompt,
  vote: { score: Score; hints?: readonly string[] | undefined },
): string {
  const key = /\{"([0-9a-f]+)":S,/.exec(prompt.system)?.[1] ?? '';
  return JSON.stringify({ [key]: vote.score, hints: vote.hints ?? [] });
}
