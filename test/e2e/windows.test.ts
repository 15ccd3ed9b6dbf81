/** Several windows, several folders, and an agent-server that dies: what a user sees of it, and that nothing is lost. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openAnother } from './harness/another-window.ts';
import { missingVSCode, usesBrowser } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { proposalRoots, storedText, userEdits } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';
import type { Workbench } from './harness/workbench.ts';

const FILE = 'src/total.js';
const BEFORE = '  return prices.reduce((sum, price) => sum + price, 0);';
const AFTER =
  '  const sum = prices.reduce((total, price) => total + price, 0);\n  return Math.round(sum * 100) / 100;';
const NOTES = 'prices.txt';
const block = (file: string, before: string, after: string): string =>
  `${file}\n<<<<<<< SEARCH\n${before}\n=======\n${after}\n>>>>>>> REPLACE\n`;
const CONNECT_LIMIT_MS = 90_000;
/** Several extension hosts share what cores there are. */
const STEP_LIMIT_MS = 60_000;
/** Eight failures, and the waits between them. */
const GIVE_UP_LIMIT_MS = 120_000;
const skip =
  (await missingVSCode()) || (usesBrowser() ? false : 'a second window is opened in the browser alone');

describe('Several windows of one VS Code', { skip }, () => {
  let agent: ScriptedAgent;
  let till: Till;
  let second: Workbench;

  before(async () => {
    till = await openTill(
      async ({ apprenticeHome, env, root }) => {
        agent = await ScriptedAgent.start(apprenticeHome);
        // The server that the windows start in place of the agent's needs none, and comes sooner without.
        env['APPRENTICE_MODEL'] = join(root, 'no-model');
      },
      { settings: { 'security.workspace.trust.enabled': false } },
    );
    second = await openAnother(till.workbench, till.repository.root);
    for (const window of [till.workbench, second]) {
      window.page.setDefaultTimeout(STEP_LIMIT_MS);
      await window.openAgentImprovement();
      await window.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    }
  });
  after(async () => {
    await second?.screenshot('windows-second-last');
    await agent?.stop();
    await till?.close('windows-last');
  });

  it('WINDOW-2: share one agent-server: what is decided in one shows in the other', async () => {
    await till.workbench.webview().getByRole('button', { name: 'Pause learning' }).click();
    await second.button(/learning is paused$/).waitFor();
    await second.webview().getByRole('button', { name: 'Go on learning' }).click();
    await till.workbench.button(/learning is on$/).waitFor();
  });

  it('WINDOW-3: several folders, one of them no repository, with CRLF: each is followed, and the repository gets the message', async () => {
    const { profile, repository, workbench } = till;
    const notes = join(profile.root, 'notes');
    mkdirSync(notes);
    writeFileSync(join(notes, NOTES), 'Apples cost two.\r\nPears cost three.\r\n');
    const workspace = join(profile.root, 'shop.code-workspace');
    writeFileSync(workspace, JSON.stringify({ folders: [{ path: repository.root }, { path: notes }] }));
    const window = await openAnother(workbench, workspace);
    window.page.setDefaultTimeout(STEP_LIMIT_MS);
    await window.openAgentImprovement();
    await window.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });

    await agent.ask('Pears are cheaper.', block(NOTES, 'Pears cost three.', 'Pears cost two as well.'));
    writeFileSync(join(notes, NOTES), 'Apples cost two.\r\nPears cost two as well.\r\n');
    // By its whole path: the search in a folder that was just opened may find nothing yet.
    await window.openFile(join(notes, NOTES));
    await window.lens('Good edit').waitFor();

    repository.write('src/vat.js', 'export const vat = 0.07;\n');
    repository.git('add', '--all');
    agent.willAnswer('feat: add the tax');
    await window.openSourceControl();
    await window.runCommand('Apprentice: Write Commit Message');
    await window.commitMessageIs((text) => text.includes('feat: add the tax'), CONNECT_LIMIT_MS);
    assert.deepEqual(proposalRoots(profile.apprenticeHome), [repository.root]);
    repository.git('commit', '--quiet', '--message', 'feat: add the tax');
    await window.screenshot('windows-multi-root');
    await window.page.close();
  });

  it('WINDOW-4: a server that is killed is shown to be away; when it is back nothing is lost, told once, and no window was reloaded', async () => {
    const { profile, repository, workbench } = till;
    const home = profile.apprenticeHome;
    const turnId = await agent.ask('Round the total.', block(FILE, BEFORE, AFTER));
    for (const window of [workbench, second]) await window.openFile(`${FILE}:2`);
    repository.write(FILE, `export function total(prices) {\n${AFTER}\n}\n`);
    for (const window of [workbench, second]) await window.lens('Good edit').waitFor();

    writeFileSync(join(home, 'config.json'), '{');
    agent.kill();
    for (const window of [workbench, second])
      await window.button(/^Apprentice: .*config\.json is not JSON/).waitFor({ timeout: GIVE_UP_LIMIT_MS });
    await workbench.screenshot('windows-away');
    await workbench.lens('Good edit').click();
    // A commit within seconds of the edit would be taken for the agent's own.
    profile.env['GIT_COMMITTER_DATE'] = `@${Math.ceil(Date.now() / 1000) + 60} +0000`;
    repository.git('commit', '--all', '--quiet', '--message', 'Round the total');
    await second.lens('Good edit').waitFor({ state: 'detached' });
    agent = await ScriptedAgent.start(home);
    for (const window of [workbench, second])
      await window.button(/^Apprentice: policy@v0 answers/).waitFor({ timeout: CONNECT_LIMIT_MS });
    const looks = () => userEdits(home, turnId);
    assert.ok(await eventually(() => looks().length > 0, CONNECT_LIMIT_MS), 'the commit was not told');
    assert.ok(
      await eventually(() => storedText(home).includes('"thumb"'), CONNECT_LIMIT_MS),
      'nor the thumb',
    );
    assert.ok(!(await eventually(() => looks().length > 1, 3_000)), 'both windows told of one commit');
    assert.deepEqual(looks(), [{ moment: 'commit', survival: 1 }]);
  });
});
