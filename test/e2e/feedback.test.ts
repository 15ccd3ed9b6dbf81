/**
 * What a user does with a proposal other than committing it once, in a real VS Code over the real model: nothing
 * staged, writing stopped, thumbs, a cleared box, a second proposal, an amend, a squash.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { JUDGE_LIMIT_MS } from './harness/author.ts';
import { holdEngine } from './harness/engine-process.ts';
import { missingVSCode } from './harness/launch.ts';
import { openTill, type Till } from './harness/till.ts';

const WRITE = 'Write Commit Message';
const STOP = 'Stop Writing';

describe('Feedback on a proposal in VS Code', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill();
    await till.workbench.answerTrust('trust');
  });
  after(() => till?.close('feedback-last'));

  it('says what to stage when nothing is, and stages it when asked', async () => {
    const { repository, workbench } = till;
    repository.write('src/round.js', 'export const round = (total) => Math.round(total * 100) / 100;\n');
    await workbench.openSourceControl();
    await workbench.pressCommitAction(WRITE);
    await workbench.answerDialog('Turn Learning On');
    await workbench.notice(/Nothing is staged in till/).waitFor();
    await workbench.button('Stage All').click();
    // Consent showed the panel.
    await workbench.openSourceControl();
    await workbench.commitMessageIs((text) => text !== '', 90_000);
    await workbench.commitAction(WRITE).waitFor({ timeout: 90_000 });
    assert.equal(repository.git('diff', '--cached', '--name-only'), 'src/round.js');
  });

  it('lets a thumb outrank the commit that takes the proposal as it stood', async () => {
    const { author, workbench } = till;
    await workbench.openSourceControl();
    await workbench.pressCommitAction('Thumbs Down for the Last Proposal');
    await author.turn(0, JUDGE_LIMIT_MS, (row) => row.decided_by === 'evidence:thumb');
    await workbench.commit();
    const judged = await author.turn(0, JUDGE_LIMIT_MS, (row) => row.observation_kind === 'commit');
    assert.equal(judged.score, -1);
    assert.equal(judged.decided_by, 'evidence:thumb');
  });

  it('can be stopped, and the box is as before', async () => {
    const { author, profile, workbench } = till;
    author.stage('src/vat.js', 'export const vat = 0.07;\n');
    await workbench.openSourceControl();
    await workbench.typeCommitMessage('my own words');
    // An answer may be a few tokens short: it must not end before it is stopped.
    const goOn = holdEngine(profile.apprenticeHome);
    try {
      await workbench.pressCommitAction(WRITE);
      await workbench.pressCommitAction(STOP);
      await workbench.commitAction(WRITE).waitFor();
    } finally {
      goOn();
    }
    await workbench.commitMessageIs((text) => text === 'my own words', JUDGE_LIMIT_MS);
  });

  it('gives no score to a proposal that another overwrites, nor to one that is cleared', async () => {
    const { author, workbench } = till;
    await author.propose();
    const overwritten = author.count() - 1;
    author.stage('src/vat.js', 'export const vat = 0.19;\n');
    await author.propose();
    const first = await author.turn(overwritten, JUDGE_LIMIT_MS, (row) => row.turn_state === 'settled');
    assert.equal(first.score, null);
    assert.equal(first.decided_by, 'none:overwritten');

    await workbench.typeCommitMessage('');
    const second = await author.turn(overwritten + 1, JUDGE_LIMIT_MS, (row) => row.turn_state === 'settled');
    assert.equal(second.score, null);
    assert.equal(second.decided_by, 'none:cleared');
  });

  it('takes an amended message for the correction, and a squash for none', async () => {
    const { author, workbench } = till;
    await author.propose();
    const index = author.count() - 1;
    await workbench.commit();
    await author.turn(index, JUDGE_LIMIT_MS, (row) => row.score === 1);
    await workbench.typeInTerminal("git commit --amend --message 'feat(till): state the tax rate'");
    await author.committed('feat(till): state the tax rate');
    const amended = await author.turn(index, JUDGE_LIMIT_MS, (row) => row.score === -1);
    assert.equal(amended.hint_text, 'feat(till): state the tax rate');

    author.stage('src/bag.js', 'export const bag = [];\n');
    await author.propose();
    const noted = author.count() - 1;
    await workbench.typeInTerminal(
      'git commit --fixup HEAD && GIT_SEQUENCE_EDITOR=true git rebase -i --autosquash HEAD~2',
    );
    const fixup = await author.turn(noted, JUDGE_LIMIT_MS, (row) => row.turn_state === 'settled');
    assert.equal(fixup.score, null);
    assert.equal(fixup.observation_kind, 'commit');
    assert.equal(fixup.hint_text, null);
    const kept = await author.turn(index, JUDGE_LIMIT_MS, (row) => row.score !== null);
    assert.equal(kept.hint_text, 'feat(till): state the tax rate');
  });
});
