/** One window, two repositories: the message describes what is staged in the one that was chosen. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ANSWER_LIMIT_MS } from './harness/author.ts';
import { missingVSCode, openWindow } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { makeProfile } from './harness/profile.ts';
import { makeRepository } from './harness/sample-repository.ts';
import { proposalRoots } from './harness/stored.ts';

describe('Two repositories in one VS Code', { skip: await missingVSCode() }, () => {
  it('are told apart: the one that the user picks gets the message', async () => {
    const profile = makeProfile();
    try {
      const folder = join(profile.root, 'shops');
      for (const name of ['bakery', 'florist']) {
        const repository = makeRepository(join(folder, name), profile.env);
        repository.write(`src/${name}.js`, `export const name = '${name}';\n`);
        repository.git('add', '--all');
      }
      const window = await openWindow(profile, folder);
      try {
        const { workbench } = window;
        await workbench.answerTrust('trust');
        await workbench.openSourceControl();
        await workbench.runCommand('Apprentice: Write Commit Message');
        await workbench.pick('florist');
        await workbench.answerDialog('Turn Learning On');
        await eventually(() => proposalRoots(profile.apprenticeHome).length > 0, ANSWER_LIMIT_MS);
        assert.deepEqual(proposalRoots(profile.apprenticeHome), [join(folder, 'florist')]);
      } finally {
        await window.workbench.screenshot('two-repositories-last');
        await window.close();
      }
    } finally {
      profile.remove();
    }
  });
});
