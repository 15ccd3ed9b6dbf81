import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { JudgePrompt } from '../../../agent-server/judge/judge.ts';
import { askWhichIsBetter } from '../../../agent-server/judge/teacher-vote.ts';
import { AWAY, FakeJudge, type Reply } from '../../fakes/judge.ts';

const pair = { request: 'Add two numbers.', hint: 'Name it add_numbers.', student: 'OWN', teacher: 'TAUGHT' };

function ask(reply: (prompt: JudgePrompt) => Reply, over: { present?: boolean; cancelled?: boolean } = {}) {
  const judge = new FakeJudge();
  judge.present = over.present ?? true;
  judge.reply = reply;
  const controller = new AbortController();
  if (over.cancelled)
    judge.beforeAnswer = () => {
      controller.abort();
      return new Promise(() => undefined);
    };
  const parts = {
    judge,
    config: { timeoutMs: 60_000, parallel: 1, maxCharacters: 10_000 },
    nonce: () => randomBytes(16).toString('hex'),
    nowMs: () => 0,
  };
  return askWhichIsBetter(parts, pair, controller.signal);
}

/** 1 or -1 for where the text stands. */
const placeOf = (text: string) => (prompt: JudgePrompt) =>
  ({
    score: prompt.user.indexOf('| TAUGHT') > prompt.user.indexOf('| OWN') === (text === 'TAUGHT') ? 1 : -1,
  }) as const;

test('TEACH-8: a judge decides what the texts do not tell, when it says so in either order', async () => {
  assert.deepEqual(await ask(placeOf('TAUGHT')), {
    verdict: 'better',
    detail: 'The judge prefers the answer with the hint.',
  });
  assert.equal((await ask(placeOf('OWN'))).verdict, 'worse');
  for (const always of [1, 0, -1] as const)
    assert.equal((await ask(() => ({ score: always }))).verdict, 'unknown', `always ${always}`);
  assert.equal((await ask(() => 'Both are fine.')).verdict, 'unknown');
});

test('TEACH-8: a judge that is not there, or down, holds up nothing; a cancelled check ends', async () => {
  const nobody = await ask(() => assert.fail('nobody is asked'), { present: false });
  assert.match(nobody.detail, /no judge/);
  assert.match((await ask(() => AWAY)).detail, /could not be asked .*away/);
  await assert.rejects(
    ask(() => ({ score: 1 }), { cancelled: true }),
    { code: 'aborted' },
  );
});
