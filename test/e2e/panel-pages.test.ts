/**
 * The panel's pages in a real VS Code over a store of 100,000 turns: searched, filtered, opened, labelled, exported; by
 * axe without a violation in a dark theme, a light one and in high contrast.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { TurnLine } from '../../agent-server/export/turn-line.ts';
import { BASE_VERSION } from '../../agent-server/protocol/ids.ts';
import type { ArmResult, EvaluationArm } from '../../agent-server/protocol/promotion.ts';
import { openStore } from '../../agent-server/store/sqlite-store.ts';
import { dayOf } from '../../extension/webview/local-day.ts';
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
const PAGES = ['Now', 'Curve', 'Turns', 'Lessons', 'Versions', 'Data'] as const;
const THEMES = {
  dark: 'Dark Modern',
  light: 'Light Modern',
  'high-contrast': 'Dark High Contrast',
} as const;

describe('The panel’s pages in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async (profile) => {
      await seedManyTurns(profile.apprenticeHome, Date.now());
      await seedComparison(profile.apprenticeHome);
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

  it('PANEL-5: turns of a day are found by the calendar, and all of them again by one press', async () => {
    const { workbench } = till;
    await workbench.openPage('Turns');
    const panel = workbench.webview();
    const rows = panel.locator('apprentice-turn-list button[data-index]');
    await panel.getByRole('searchbox', { name: 'Search' }).fill('');
    await panel.getByLabel('To', { exact: true }).fill(daysAgo(10));
    await rows.first().getByText('9 days ago').waitFor();
    await panel.getByLabel('From', { exact: true }).fill(daysAgo(9));
    await panel.getByText(/^None of/).waitFor({ timeout: LEARN_LIMIT_MS });
    await panel.getByRole('button', { name: 'Show all' }).click();
    await rows.getByText('Farewell, dear user!').waitFor();
    assert.equal(await panel.getByLabel('From', { exact: true }).inputValue(), '');
    // The keyboard goes into the turn and back to its row.
    await rows.nth(1).focus();
    await workbench.page.keyboard.press('Enter');
    await panel.locator('#back:focus').waitFor();
    await workbench.page.keyboard.press('Enter');
    await panel.locator("apprentice-turn-list button[data-index='1']:focus").waitFor();
  });

  it('PANEL-13, PANEL-14: the base and the control of a comparison stand behind the curve; another is run from the page, and goes on while it is hidden', async () => {
    const { workbench } = till;
    await workbench.openPage('Curve');
    const panel = workbench.webview();
    await panel.getByRole('button', { name: 'Like what you wanted' }).click();
    const chart = panel.locator('apprentice-group-chart');
    await chart.locator('[data-band="base"]').waitFor();
    await chart.locator('[data-band="control"]').waitFor();
    await panel.locator('#legend').getByText('control (the lessons, their tokens shuffled): 30%').waitFor();
    await workbench.screenshot('panel-curve-likeness');
    await panel
      .locator('#cost')
      .getByText(/It would measure base, serving on 16 turns.* About \d+ s/)
      .waitFor();
    await panel.getByRole('button', { name: 'Measure now' }).click();
    await panel.getByRole('button', { name: 'Stop' }).waitFor();
    await workbench.openSourceControl();
    await workbench.openAgentImprovement();
    const reports = panel.locator('apprentice-comparison table.report');
    await reports.first().locator('tr[data-arm="serving"]').waitFor({ timeout: LEARN_LIMIT_MS });
    // Of that one no control was measured, so that none is drawn.
    await panel.getByRole('button', { name: 'Like what you wanted' }).click();
    await chart.locator('[data-band="base"]').waitFor();
    assert.equal(await chart.locator('[data-band="control"]').count(), 0);
    await panel.getByText('Earlier ones').click();
    await reports.nth(1).locator('tr[data-arm="control"]').waitFor();
  });

  it('SIDE-BY-SIDE-1: two versions answer requests of the user beside each other, and it is put away again', async () => {
    const { workbench } = till;
    await workbench.openPage('Versions');
    const panel = workbench.webview();
    await panel.getByLabel('Requests').selectOption('2');
    await panel.getByRole('button', { name: 'Let both answer' }).click();
    await panel
      .locator('#side-state')
      .getByText(/: 2 requests, 2 answered alike/)
      .waitFor({ timeout: LEARN_LIMIT_MS });
    const cards = panel.locator('apprentice-side-by-side article');
    assert.equal(await cards.count(), 2);
    await cards.getByText('neither learnt from it').first().waitFor();
    await workbench.screenshot('panel-side-by-side');
    await panel.getByRole('button', { name: 'Put away' }).click();
    await cards.first().waitFor({ state: 'detached' });
  });

  for (const theme of ['dark', 'light', 'high-contrast'] as const) {
    it(`PANEL-11: no page has a violation of axe’s rules (${theme})`, async () => {
      const { workbench } = till;
      await workbench.chooseTheme(THEMES[theme]);
      const panel = workbench.webview();
      await panel.locator(`body.vscode-${theme}`).waitFor();
      for (const page of PAGES) {
        await workbench.openPage(page);
        await loaded(panel);
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
    await workbench.chooseTheme(THEMES.dark);
    await workbench.openSourceControl();
    await workbench.runCommand('Apprentice: Open Agent Improvement in an Editor');
    for (const page of PAGES) {
      await workbench.openPage(page);
      await loaded(workbench.webview());
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

/** Each part of a page has what it asked for. */
async function loaded(panel: FrameLocator): Promise<void> {
  const loading = panel.locator('[role="status"]:visible', { hasText: 'Loading' });
  while ((await loading.count()) > 0) await loading.first().waitFor({ state: 'hidden' });
}

/** As an earlier comparison left it, with a control. */
async function seedComparison(home: string): Promise<void> {
  const { store } = await openStore(join(home, 'store.sqlite'));
  const arm = (name: EvaluationArm, chrf: number, gain: number | null): ArmResult => ({
    arm: name,
    version: BASE_VERSION,
    turns: 16,
    logprob: -2 + (gain ?? 0),
    correctedLogprob: null,
    versusBase: gain === null ? null : { mean: gain, low: gain - 0.2, high: gain + 0.2 },
    chrf,
    chrfInterval: { low: chrf - 8, high: chrf + 9 },
  });
  store.addComparison(
    {
      splitAt: new Date().toISOString(),
      version: BASE_VERSION,
      lessons: 3,
      corrected: 12,
      accepted: 4,
      answered: 6,
      arms: [arm('base', 41, null), arm('control', 30, 0.1), arm('lessons', 72, 0.9)],
      seconds: 140,
    },
    Date.now(),
  );
  store.close();
}

/** As a calendar field takes it, in the time zone of the window, which runs here. */
function daysAgo(n: number): string {
  const at = new Date();
  at.setDate(at.getDate() - n);
  return dayOf(at.toISOString());
}
