/** The panel's ways back in a real VS Code: leave a turn out, forget, learn again, serve an earlier version, delete. */
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { openTill, type Till } from './harness/till.ts';

/** The panel finds the agent-server, on a machine that may be busy. */
const CONNECT_LIMIT_MS = 90_000;
const LEARN_LIMIT_MS = 60_000;

describe('Ways back in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }) => {
      agent = await ScriptedAgent.start(apprenticeHome);
      await agent.correct(await agent.ask('Say hello', 'Hello, dear user!'), 'hello');
    });
    await till.workbench.answerTrust('trust');
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('ways-back-last');
  });

  it('PANEL-4: a turn is left out and forgotten, learnt from again, and deleted; an earlier version serves', async () => {
    const { workbench } = till;
    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    const serving = panel.locator('#serving-version');
    await serving.getByText('policy@v1').waitFor({ timeout: CONNECT_LIMIT_MS });

    await workbench.openPage('Turns');
    const turn = await workbench.openTurn(0);
    await turn.getByRole('button', { name: 'Leave out' }).click();
    await turn.getByText('left out by you; v1 learnt from it before').waitFor();
    await panel.getByText('v1 learnt from something you took back since').waitFor();
    await workbench.screenshot('ways-back-left-out');
    await panel.getByRole('button', { name: 'Forget…' }).click();
    await workbench.answerDialog('Forget');
    await workbench.openPage('Now');
    await serving.getByText('policy@v0').waitFor();

    await workbench.openPage('Turns');
    await turn.getByRole('button', { name: 'Learn from it again' }).click();
    await workbench.openPage('Now');
    await serving.getByText('policy@v2').waitFor({ timeout: LEARN_LIMIT_MS });

    await workbench.openPage('Versions');
    const versions = panel.locator('apprentice-lineage');
    await versions.getByText('All versions').click();
    await versions.getByRole('button', { name: 'Serve this one: policy@v0' }).click();
    await versions.getByRole('row', { name: /^policy@v0 – serving/ }).waitFor();
    await versions.getByRole('button', { name: 'Serve this one: policy@v2' }).click();
    await versions.getByRole('row', { name: /^policy@v2 base serving/ }).waitFor();

    await workbench.openPage('Turns');
    await turn.getByRole('button', { name: 'Delete…' }).click();
    await workbench.answerDialog('Delete');
    await turn.waitFor({ state: 'detached' });
    await panel.getByText('v2 learnt from something you took back since').waitFor();
  });
});
