/** Another agent is connected by what the command gives, the status bar's menu pauses learning, the walkthrough opens. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { formatPairing } from '../../agent-server/protocol/pairing.ts';
import { selfSigned } from '../fixtures/certificate.ts';
import { openWorker } from '../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../fixtures/home.ts';
import { missingVSCode } from './harness/launch.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { openTill, type Till } from './harness/till.ts';

/** The panel finds the agent-server, on a machine that may be busy. */
const CONNECT_LIMIT_MS = 90_000;
const LIMIT_MS = 30_000;

const CodexConfig = z.object({
  model_providers: z.object({
    apprentice: z.object({ base_url: z.url(), env_key: z.string(), wire_api: z.literal('responses') }),
  }),
});

describe('Connecting another agent, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }) => {
      agent = await ScriptedAgent.start(apprenticeHome);
    });
    await till.workbench.answerTrust('trust');
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('connect-last');
  });

  it('WALK-1: the walkthrough opens with its five steps', async () => {
    const { workbench } = till;
    await workbench.runCommand('Welcome: Open Walkthrough');
    await workbench.pick('Get started with Apprentice');
    const steps = workbench.page.locator('.getting-started-step');
    await steps.nth(4).waitFor({ timeout: LIMIT_MS });
    assert.deepEqual(await steps.locator('.step-title').allTextContents(), [
      'Set up the local model',
      'Decide whether it may learn',
      'Let it write a commit message',
      'Change it to your taste and commit',
      'Connect another agent',
    ]);
    // Its picture is a webview, as the panel is.
    await workbench.runCommand('View: Close Editor');
    await steps.first().waitFor({ state: 'detached' });
  });

  it('CONNECT-1: the snippet that is opened works as it stands, and the turn is shown as that agent’s', async () => {
    const { workbench } = till;
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    await workbench.runCommand('Apprentice: Connect Another Agent…');
    await workbench.page.locator('.quick-input-widget').getByRole('option', { name: 'Codex CLI' }).waitFor();
    await workbench.screenshot('connect-pick');
    await workbench.pick('Codex CLI');
    await workbench.pick('Open the snippet');
    await workbench.notice(/Add it at the end of that file/).waitFor({ timeout: LIMIT_MS });
    await workbench.screenshot('connect-snippet');

    const text = await workbench.editorText();
    const { base_url, env_key } = CodexConfig.parse(parse(text)).model_providers.apprentice;
    const key = new RegExp(`^# {3}export ${env_key}='([^']+)'$`, 'm').exec(text)?.[1];
    assert.ok(key, text);
    assert.equal((await fetch(`${base_url}/models`)).status, 401);

    await agent.ask('First, as nobody in particular.', 'The kettle is on.');
    const answer = await fetch(`${base_url}/responses`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'user-agent': 'codex_exec/0.169.0 (Debian 13.0.0; x86_64)',
      },
      body: JSON.stringify({ model: 'apprentice', input: 'How does it stand?' }),
    });
    assert.equal(answer.status, 200, await answer.text());
    await workbench.openPage('Turns');
    const turn = await workbench.openTurn(0);
    await turn.getByText('Codex CLI', { exact: true }).waitFor({ timeout: LIMIT_MS });
  });

  it('MENU-1: the status bar opens a menu that pauses learning and resumes it', async () => {
    const { workbench } = till;
    await workbench.button(/^Apprentice: policy@v0 answers, learning is on/).click();
    const menu = workbench.page.locator('.quick-input-widget');
    await menu.getByText(/policy@v0 · learning is on/).waitFor();
    await workbench.screenshot('connect-menu');
    await workbench.pick('Pause learning');
    const paused = workbench.button(/^Apprentice: policy@v0 answers, learning is paused/);
    await paused.waitFor({ timeout: LIMIT_MS });
    await paused.click();
    await workbench.pick('Resume learning');
    await workbench.button(/^Apprentice: policy@v0 answers, learning is on/).waitFor({ timeout: LIMIT_MS });
  });

  it('WALK-1: the walkthrough knows what is done by then', async () => {
    const { workbench } = till;
    // The model, the answer about learning, and the other agent.
    await workbench.runCommand('Welcome: Open Walkthrough');
    await workbench.pick('Get started with Apprentice');
    await workbench.page
      .locator('.getting-started-step .codicon.complete')
      .nth(2)
      .waitFor({ timeout: LIMIT_MS })
      .finally(() => workbench.screenshot('walkthrough'));
  });

  it('REMOTE-10: a remote worker is tried, kept, told of in the panel, and given up again', async (t) => {
    const { workbench } = till;
    const tls = selfSigned();
    const key = 'a-key-of-the-right-length';
    const worker = await openWorker(temporaryFolder(), { tls, key });
    t.after(() => worker.close());
    const line = (its: string) => formatPairing({ url: worker.url, key: its, sha256: tls.sha256 });
    const connect = async (pairing: string) => {
      await workbench.runCommand('Apprentice: Connect Remote Worker…');
      await workbench.answerInput('Connect Remote Worker', pairing);
    };
    await connect(line('another-key-of-that-length'));
    await workbench.notice(/does not accept this key/).waitFor({ timeout: LIMIT_MS });
    await connect(line(key));
    await workbench.notice(/answers and learns from now on, with base@1/).waitFor({ timeout: LIMIT_MS });
    await workbench.openAgentImprovement();
    await workbench.openPage('Now');
    const place = workbench.webview().locator('#worker-place');
    await place.getByText(worker.url).waitFor({ timeout: CONNECT_LIMIT_MS });
    await place.getByText('engine ready, trainer ready').waitFor({ timeout: LIMIT_MS });
    await place.scrollIntoViewIfNeeded();
    await workbench.screenshot('connect-worker');

    await workbench.webview().getByRole('button', { name: 'Use this machine' }).click();
    await workbench.notice(/This machine answers and learns from now on/).waitFor({ timeout: LIMIT_MS });
    await place.getByText('This machine').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
});
