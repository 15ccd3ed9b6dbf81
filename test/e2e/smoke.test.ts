/** The packaged extension in a real VS Code: it is there, it asks before it learns, and nothing outlives a test. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { openTill, type Till } from './harness/till.ts';

describe('A fresh VS Code with the packaged extension', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill();
  });
  after(() => till?.close('smoke-last'));

  it('offers the button in Source Control of a trusted folder, and starts nothing by itself', async () => {
    const { workbench, profile } = till;
    await workbench.answerTrust('trust');
    await workbench.openSourceControl();
    await workbench.button('Write Commit Message').waitFor();
    await workbench.button(/^Apprentice: not started yet/).waitFor();
    assert.equal(
      existsSync(join(profile.apprenticeHome, 'discovery.json')),
      false,
      'no agent-server was started',
    );
  });

  it('says in its view what is captured, before anything is', async () => {
    const { workbench, profile } = till;
    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    await panel.getByRole('heading', { name: 'May Apprentice learn from you?' }).waitFor();
    await panel.getByText('Where it goes').waitFor();
    await panel.getByText(profile.apprenticeHome).waitFor();
    await panel.getByRole('button', { name: 'Turn learning on' }).waitFor();
  });
});

describe('A folder that the user does not trust', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill((_profile, repository) => {
      repository.write('src/secret.js', 'export const secret = 1;\n');
      repository.git('add', '--all');
    });
  });
  after(() => till?.close('untrusted-last'));

  it('is not read: the command says so, and the view stays readable', async () => {
    const { workbench, profile } = till;
    await workbench.answerTrust('restrict');
    await workbench.runCommand('Apprentice: Write Commit Message');
    await workbench.page
      .getByText('Apprentice reads nothing in a workspace that you have not trusted.')
      .first()
      .waitFor();
    assert.equal(existsSync(join(profile.apprenticeHome, 'store.sqlite')), false, 'nothing was stored');
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('This workspace is not trusted').waitFor();
  });
});
