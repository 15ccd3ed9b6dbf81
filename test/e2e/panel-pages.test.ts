/**
 * The panel's pages in a real VS Code over a store of 100,000 turns: searched, filtered, opened, labelled, exported; by
 * axe without a violation in a dark theme and in high contrast.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TurnLine } from '../../agent-server/export/turn-line.ts';
import { MANY_TURNS, seedManyTurns } from '../fixtures/many-turns.ts';
import { violations } from './harness/axe.ts';
import { missingVSCode } from './harness/launch.ts';
import type { Profile } from './harness/profile.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { openTill, type Till } from './harness/till.ts';

/** The panel finds the agent-server, on a machine that may be busy. */
const CONNECT_LIMIT_MS = 90_000;
const LEARN_LIMIT_MS = 60_000;
const EXPORT_LIMIT_MS = 120_000;

/** Both terms, so that a token is pushed up or down by what a teacher would have said. */
const LEARNING = { method: 'hybrid-union+demonstration', teacherCheck: 'never' };
const PAGES = ['Now', 'Turns', 'Lessons', 'Versions', 'Data'] as const;
const THEMES = { dark: 'Dark Modern', 'high-contrast': 'Dark High Contrast' } as const;

describe('The panel’s pages in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async (profile) => {
      await seedManyTurns(profile.apprenticeHome, Date.now());
      agent = await ScriptedAgent.start(profile.apprenticeHome, LEARNING);
      await agent.correct(await agent.ask('Say hello', 'Hello, dear user!'), 'hello');
      await agent.ask('Say goodbye', 'Farewell, dear user!');
      typedDialogs(profile);
    });
    await till.workbench.answerTrust('trust');
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('panel-pages-last');
  });

  it('PANEL-5: of 100,000 turns those in sight are drawn; a rare word and a filter find theirs', async () => {
    const { workbench } = till;
    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    await panel.locator('#serving-version').getByText('policy@v1').waitFor({ timeout: CONNECT_LIMIT_MS });
    await workbench.openPage('Turns');
    const rows = panel.locator('apprentice-turn-list button[data-index]');
    await panel.getByText(`of ${(MANY_TURNS + 2).toLocaleString('en')} turns`).waitFor();
    await rows.first().focus();
    for (let n = 0; n < 4; n += 1) await workbench.page.keyboard.press('End');
    await rows.filter({ hasText: 'fix: part' }).first().waitFor();
    assert.ok((await rows.count()) < 80, `${await rows.count()} rows are drawn`);

    const search = panel.getByRole('searchbox', { name: 'Search' });
    await search.fill('HELIOTROPE');
    await panel.getByText(`2 of ${(MANY_TURNS + 2).toLocaleString('en')} turns`).waitFor();
    assert.equal(await rows.count(), 2);
    await search.fill('dear user');
    await panel.getByLabel('What became of it').selectOption({ label: 'waiting for what becomes of it' });
    await panel.getByText(/^1 of/).waitFor({ timeout: LEARN_LIMIT_MS });
    await rows.getByText('Farewell, dear user!').waitFor();
  });

  it('PANEL-6, PANEL-7: a turn is opened, labelled with how it should have been, learnt, and shows what its tokens were told', async () => {
    const { workbench } = till;
    const panel = workbench.webview();
    const turn = await workbench.openTurn(0);
    await panel.getByRole('button', { name: 'Say how it should have been' }).click();
    await panel.getByRole('textbox', { name: 'As you want it' }).fill('bye');
    await panel.getByRole('button', { name: 'Save as −1 with this hint' }).click();
    await turn.getByText('thumbs down').waitFor({ timeout: LEARN_LIMIT_MS });
    await turn.getByText(/^learnt by v\d/).waitFor({ timeout: LEARN_LIMIT_MS });
    const [answer, rewrite] = [
      panel.locator('apprentice-tokens').nth(0),
      panel.locator('apprentice-tokens').nth(1),
    ];
    await answer.locator('[data-sign="-1"]').first().waitFor();
    await rewrite.locator('[data-sign="1"]').first().waitFor();
    await answer.locator('.text').focus();
    await workbench.page.keyboard.press('ArrowRight');
    await answer
      .locator('#told')
      .getByText(/^“a”: advantage −/)
      .waitFor();
    await workbench.screenshot('panel-turn');

    // A hidden webview is taken down; the page comes back as it was.
    await workbench.openSourceControl();
    await workbench.openAgentImprovement();
    await workbench.webview().locator('apprentice-turn').getByText('thumbs down').waitFor();
    await workbench.webview().getByRole('button', { name: 'Back to all turns' }).click();
    await workbench.webview().getByLabel('What became of it').selectOption({ label: 'Any' });
  });

  it('PANEL-8, PANEL-9: turns and an adapter are exported where the user says', async () => {
    const { workbench, profile } = till;
    await workbench.openPage('Data');
    const panel = workbench.webview();
    await panel
      .locator('#count-turns')
      .getByText((MANY_TURNS + 2).toLocaleString('en'))
      .waitFor();
    await panel.getByRole('button', { name: 'Export turns…' }).click();
    await workbench.takeProposedPath('/home/apprentice-turns.jsonl');
    await workbench.notice(/Exported 100,002 lines/).waitFor({ timeout: EXPORT_LIMIT_MS });
    const folder = join(profile.root, 'home');
    const lines = readFileSync(join(folder, 'apprentice-turns.jsonl'), 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, MANY_TURNS + 2);
    const last = TurnLine.strict().parse(JSON.parse(lines.at(-1) ?? ''));
    assert.deepEqual(
      [last.answer.content, last.score, last.hints[0]?.text],
      ['Farewell, dear user!', -1, 'bye'],
    );

    await workbench.openPage('Versions');
    await panel.getByRole('button', { name: 'Export policy@v1…' }).click();
    await workbench.takeProposedPath('/home/');
    await workbench.notice(/Exported policy@v1 to/).waitFor();
    assert.ok(existsSync(join(folder, 'apprentice-policy-v1', 'adapter_model.safetensors')));
  });

  for (const theme of ['dark', 'high-contrast'] as const) {
    it(`PANEL-11: no page has a violation of axe’s rules (${theme})`, async () => {
      const { workbench } = till;
      await workbench.useTheme(THEMES[theme]);
      const panel = workbench.webview();
      await panel.locator(`body.vscode-${theme}`).waitFor();
      for (const page of PAGES) {
        await workbench.openPage(page);
        await panel.locator('[role="status"]', { hasText: 'Loading' }).waitFor({ state: 'detached' });
        await workbench.screenshot(`panel-${page.toLowerCase()}-${theme}`);
        assert.deepEqual(await violations(panel, 'sideBar'), [], `${page}, ${theme}`);
      }
      await workbench.openPage('Turns');
      await workbench.openTurn(1);
      await panel.locator('apprentice-tokens').first().waitFor();
      await workbench.screenshot(`panel-turn-${theme}`);
      assert.deepEqual(await violations(panel, 'sideBar'), [], `a turn, ${theme}`);
      await panel.getByRole('button', { name: 'Back to all turns' }).click();
    });
  }

  it('PANEL-11: the pages stand in an editor, for more room', async () => {
    const { workbench } = till;
    await workbench.useTheme(THEMES.dark);
    await workbench.openSourceControl();
    await workbench.runCommand('Apprentice: Open Agent Improvement in an Editor');
    for (const page of PAGES) {
      await workbench.openPage(page);
      await workbench
        .webview()
        .locator('[role="status"]', { hasText: 'Loading' })
        .waitFor({ state: 'detached' });
      await workbench.screenshot(`panel-${page.toLowerCase()}-editor`);
    }
    assert.deepEqual(await violations(workbench.webview(), 'editor'), []);
  });

  it('PANEL-4, FORGET-7: everything is deleted when the user says so twice', async () => {
    const { workbench } = till;
    const panel = workbench.webview();
    await panel.getByRole('button', { name: 'Delete everything…' }).click();
    await workbench.answerDialog('Delete Everything');
    await panel.locator('#count-turns', { hasText: /^0$/ }).waitFor({ timeout: EXPORT_LIMIT_MS });
    await workbench.openPage('Turns');
    await panel.getByText('Nothing yet.').waitFor();
    await workbench.screenshot('panel-turns-empty');
  });
});

/** Has VS Code ask for files in a box that a test can type into, on every system. Before the window opens. */
function typedDialogs(profile: Profile): void {
  const file = join(profile.userData, 'User', 'settings.json');
  const settings: unknown = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(typeof settings === 'object' && settings !== null);
  writeFileSync(file, JSON.stringify({ ...settings, 'files.simpleDialog.enable': true }, null, 2));
}
