/** The contract of Judge, whoever answers. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Judge, JudgePrompt } from '../../agent-server/judge/judge.ts';
import { parseVote } from '../../agent-server/judge/parse-vote.ts';
import { judgePrompt } from '../../agent-server/judge/prompt.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

export interface JudgeUnderTest {
  judge: Judge;
  /** The far end answers by this vote, with the key that it finds in what it was asked, until told otherwise. */
  vote(score: 1 | 0 | -1): void;
  /** What the far end was asked since it began, system and user text in one. */
  asked(): string[];
  /** From now on the far end begins to answer and does not end. Resolves once a call has begun. */
  hold(): Promise<void>;
  /** Resolves once the far end knows that the call is not wanted any more. */
  cancelled(): Promise<void>;
  /** The far end is gone. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof ApprenticeError && error.code === code;

function question(text: string): { prompt: JudgePrompt; key: string } {
  const key = randomBytes(8).toString('hex');
  const turn = { request: 'user: Say hello.', action: 'Hello.', nextState: text };
  return { prompt: judgePrompt(turn, { fence: randomBytes(8).toString('hex'), key }, 2_000), key };
}

export function judgeContract(name: string, open: () => Promise<JudgeUnderTest>): void {
  describe(`Judge: ${name}`, { timeout: 60_000 }, () => {
    let subject: JudgeUnderTest;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());

    it('is asked the whole prompt, and its answer comes back as it was given', async () => {
      subject.vote(-1);
      const { prompt, key } = question('The user said next:\nNo <b>way</b>, \u00fcber-wrong.');
      const answer = await subject.judge.ask(prompt, never);
      assert.equal(parseVote(answer.text, key)?.score, -1);
      assert.notEqual(answer.model, '');
      const [asked] = subject.asked();
      for (const line of [...prompt.system.split('\n'), ...prompt.user.split('\n')]) {
        assert.ok(asked?.includes(line.trim()), line);
      }
      for (const tokens of [answer.promptTokens, answer.completionTokens]) {
        assert.ok(tokens === null || tokens > 0);
      }
    });

    it('answers each of several calls at once by its own prompt', async () => {
      subject.vote(1);
      const questions = ['one', 'two', 'three'].map(question);
      const answers = await Promise.all(questions.map(({ prompt }) => subject.judge.ask(prompt, never)));
      assert.deepEqual(
        answers.map(({ text }, index) => parseVote(text, questions[index]?.key ?? '')?.score),
        [1, 1, 1],
      );
    });

    it('JUDGE-11: a call that is cancelled ends at once, and the far end is told', async () => {
      const begun = subject.hold();
      const cancel = new AbortController();
      const call = subject.judge.ask(question('x').prompt, cancel.signal);
      await begun;
      cancel.abort();
      await assert.rejects(call, hasCode('aborted'));
      await subject.cancelled();
    });

    it('SETTLE-9: says that it cannot be had when the far end is gone', async () => {
      subject.vote(1);
      await subject.judge.ask(question('x').prompt, never);
      await subject.leave();
      await assert.rejects(subject.judge.ask(question('x').prompt, never), hasCode('judge_unavailable'));
    });
  });
}
