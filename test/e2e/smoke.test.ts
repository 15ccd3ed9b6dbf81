/** The packaged extension in a real VS Code: it is there, it asks before it learns, and nothing outlives a test. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode, type OpenWindow, openWindow } from './harness/launch.ts';
import { makeProfile, type Profile } from './harness/profile.ts';
import { makeRepository } from './harness/sample-repository.ts';

describe('A fresh VS Code with the packaged extension', { skip: await missingVSCode() }, () => {
  let profile: Profile;
  let window: OpenWindow;

  before(async () => {
    profile = makeProfile();
    const { root } = makeRepository(join(profile.root, 'till'), profile.env);
    window = await openWindow(profile, root);
  });
  after(async () => {
    try {
      await window.close();
    } finally {
      profile.remove();
    }
  });

  it('offers the button in Source Control of a trusted folder, and starts nothing by itself', async () => {
    const { workbench } = window;
    await workbench.answerTrust('trust');
    await workbench.openSourceControl();
    await workbench.button('Apprentice: Write Commit Message').waitFor();
    await workbench.button(/^Apprentice: open "Agent improvement"/).waitFor();
    assert.equal(
      existsSync(join(profile.apprenticeHome, 'discovery.json')),
      false,
      'no agent-server was started',
    );
  });

  it('says in its view what is captured, before anything is', async () => {
    const { workbench } = window;
    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    await panel.getByRole('heading', { name: 'May Apprentice learn from you?' }).waitFor();
    await panel.getByText('Where it goes').waitFor();
    await panel.getByText(profile.apprenticeHome).waitFor();
    await panel.getByRole('button', { name: 'Turn learning on' }).waitFor();
  });
});

describe('A folder that the user does not trust', { skip: await missingVSCode() }, () => {
  let profile: Profile;
  let window: OpenWindow;

  before(async () => {
    profile = makeProfile();
    const repository = makeRepository(join(profile.root, 'till'), profile.env);
    repository.write('src/secret.js', 'export const secret = 1;\n');
    repository.git('add', '--all');
    window = await openWindow(profile, repository.root);
  });
  after(async () => {
    try {
      await window.close();
    } finally {
      profile.remove();
    }
  });

  it('is not read: the command says so, and the view stays readable', async () => {
    const { workbench } = window;
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
