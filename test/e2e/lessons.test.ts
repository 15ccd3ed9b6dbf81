/** Lessons in the panel of a real VS Code: seen, worded anew, switched off and deleted, each at once. */
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore } from '../../agent-server/store/sqlite-store.ts';
import { answeredTurn, corrected } from '../fixtures/records.ts';
import { missingVSCode } from './harness/launch.ts';
import { openTill, type Till } from './harness/till.ts';

/** The agent-server starts with the panel, on a machine that may be busy with other things. */
const CONNECT_LIMIT_MS = 90_000;

describe('Lessons in VS Code', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }) => {
      const { store } = await openStore(join(apprenticeHome, 'store.sqlite'));
      store.setLearning('on');
      const turnId = answeredTurn(store, { createdAtMs: Date.now() });
      store.recordVerdict(corrected(turnId, 'feat: add a parser'), null);
      store.close();
    });
    await till.workbench.answerTrust('trust');
  });
  after(() => till?.close('lessons-last'));

  it('are listed, worded anew in place, switched off, and deleted', async () => {
    const { workbench } = till;
    await workbench.openAgentImprovement();
    await workbench.openPage('Lessons');
    const lesson = workbench.webview().locator('apprentice-lesson');
    await lesson.getByText('feat: add a parser').waitFor({ timeout: CONNECT_LIMIT_MS });
    await lesson.getByText('Write a commit message.').waitFor();

    await lesson.getByRole('button', { name: 'Edit' }).click();
    await lesson.getByRole('textbox', { name: 'As you want it' }).fill('feat: parse');
    await lesson.getByRole('button', { name: 'Save' }).click();
    await lesson.getByText('feat: parse').waitFor();
    await lesson.getByText('worded by you').waitFor();
    await workbench.screenshot('lessons-worded');

    await lesson.getByText('In use').click();
    await lesson.locator('article[data-state="off"]').waitFor();

    await lesson.getByRole('button', { name: 'Delete' }).click();
    await workbench
      .webview()
      .locator('apprentice-lessons')
      .getByText(/^None yet\./)
      .waitFor();
  });
});
