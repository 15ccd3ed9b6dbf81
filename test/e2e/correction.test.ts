/**
 * One correction travels the whole loop in a real VS Code: proposed at a button, rewritten by the user,
 * committed, judged, trained, and the next proposal comes from the weights that learnt from it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { versionNumber } from '../../agent-server/protocol/ids.ts';
import { JUDGE_LIMIT_MS, unbroken, words } from './harness/author.ts';
import { missingVSCode } from './harness/launch.ts';
import { openTill, type Till } from './harness/till.ts';

const TRAIN_LIMIT_MS = 300_000;

describe('A correction in VS Code', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill();
    await till.workbench.answerTrust('trust');
  });
  after(() => till?.close('correction-last'));

  it('is asked for, and becomes a new serving version with a lineage from observation to weights', async () => {
    const { author, workbench } = till;
    author.stage('src/discount.js', 'export const discount = (total, rate) => total * (1 - rate);\n');
    const proposal = await author.propose(() => workbench.answerDialog('Turn Learning On'));
    const first = await author.turn(0, JUDGE_LIMIT_MS, (row) => row.turn_state === 'open');
    assert.equal(first.version, 'policy@v0');
    assert.ok(
      unbroken(first.text ?? '').includes(unbroken(proposal)),
      `box: ${proposal}\nstore: ${first.text}`,
    );

    const rewrite = 'feat(till): add a discount';
    await workbench.typeCommitMessage(rewrite);
    await workbench.commit();
    await author.committed(rewrite);

    const learnt = await author.turn(0, TRAIN_LIMIT_MS, (row) => row.learnt_version_state === 'serving');
    assert.equal(learnt.observation_kind, 'commit');
    assert.equal(learnt.observation_source, 'editor');
    assert.equal(learnt.observation_state, 'attached');
    assert.equal(words(learnt.observed_message ?? ''), rewrite);
    assert.equal(learnt.score, -1);
    assert.equal(learnt.hint_kind, 'rewrite');
    assert.equal(words(learnt.hint_text ?? ''), rewrite);
    assert.equal(learnt.sample_state, 'trained');
    assert.equal(learnt.batch_state, 'trained');
    assert.equal(learnt.learnt_version, 'policy@v1');
    // The same on screen, without a reload.
    await workbench.button(/policy@v1 answers/).waitFor();
  });

  it('lets the new weights answer, and a commit in a terminal is matched too', async () => {
    const { author, workbench } = till;
    author.stage('src/tax.js', 'export const tax = (total) => total * 0.19;\n');
    const proposal = await author.propose();
    const second = await author.turn(1, JUDGE_LIMIT_MS, (row) => row.turn_state === 'open');
    assert.ok(versionNumber(second.version) > 0, `answered by ${second.version}`);
    assert.ok(unbroken(second.text ?? '').includes(unbroken(proposal)));

    const rewrite = 'feat(till): add the tax';
    await workbench.typeInTerminal(`git commit --message '${rewrite}'`);
    await author.committed(rewrite);
    const judged = await author.turn(1, JUDGE_LIMIT_MS, (row) => row.score !== null);
    assert.equal(judged.score, -1);
    assert.equal(judged.observation_source, 'terminal');
    assert.equal(words(judged.hint_text ?? ''), rewrite);
  });

  it('leaves an unchanged proposal with a score of +1, and the panel tells the story', async () => {
    const { author, workbench } = till;
    author.stage('src/currency.js', "export const currency = (total) => total.toFixed(2) + ' EUR';\n");
    await author.propose();
    await workbench.commit();
    const accepted = await author.turn(2, JUDGE_LIMIT_MS, (row) => row.score !== null);
    assert.equal(accepted.score, 1);

    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    await workbench.openPage('Turns');
    await panel.locator('apprentice-turn-list').getByText('learnt by v1').waitFor();
    const first = await workbench.openTurn(2);
    await first.getByText('policy@v0').waitFor();
    await workbench.screenshot('panel-after-corrections');
  });
});
