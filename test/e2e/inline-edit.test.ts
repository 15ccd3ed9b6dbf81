/**
 * An inline edit as a user makes it: lines selected, asked for, reviewed in place hunk by hunk, undone and redone with one
 * key, rated, and each decision in the store. The model is scripted.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { holdWorker } from './harness/engine-process.ts';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { inlineEdits, reviews, userEdits } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const FILE = 'src/basket.js';
const OTHER = 'src/other.js';
const PRIVATE = 'src/private.js';
const LIMIT_MS = 60_000;
/** The panel finds the agent-server, on a machine that may be busy. */
const CONNECT_LIMIT_MS = 90_000;

const LOOP = `  let sum = 0;
  for (let i = 0; i < prices.length; i++) {
    sum += prices[i];
  }
  return sum;`;
const REDUCE = '  return prices.reduce((sum, price) => sum + price, 0);';
const LOGGED = "  console.log(name);\n  return name + ': ' + price;";
const QUIET = "  return [name, price].join(': ');";
const LOOSE = '  return prices.length == 0;';
const STRICT = '  return prices.length === 0;';

const code = (total: string, label: string, empty: string) => `export function total(prices) {
${total}
}

export function label(name, price) {
${label}
}

export function empty(prices) {
${empty}
}`;
const ORIGINAL = `${code(LOOP, LOGGED, LOOSE)}\n`;
const ANSWER = `Here it is:\n\`\`\`javascript\n${code(REDUCE, QUIET, STRICT)}\n\`\`\`\nShorter.`;
const TYPED = ' // none';
const LEFT = code(REDUCE, LOGGED, `${STRICT}${TYPED}`);

const crlf = (text: string) => `${text}\n`.replaceAll('\n', '\r\n');

/** By name, by what pictures are called, and by the class that the window then has. */
const THEMES = [
  ['Dark High Contrast', 'high-contrast', 'hc-black'],
  ['Light Modern', 'light', 'vs'],
  ['Dark Modern', 'dark', 'vs-dark'],
] as const;

describe('An inline edit in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;
  let turnId: string;
  let privateTurnId: string;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }, repository) => {
      repository.write(FILE, ORIGINAL);
      repository.write(OTHER, crlf(code(LOOP, LOGGED, LOOSE)));
      repository.write(PRIVATE, ORIGINAL);
      repository.write('.apprenticeignore', `${PRIVATE}\n`);
      repository.git('add', '--all');
      repository.git('commit', '--quiet', '--message', 'Add a basket');
      agent = await ScriptedAgent.start(apprenticeHome);
    });
    await till.workbench.answerTrust('trust');
    await till.workbench.openAgentImprovement();
    await till.workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('inline-edit-last');
  });

  const onDisk = (file: string) => readFileSync(join(till.repository.root, file), 'utf8');
  const savedIs = async (wanted: string, file = FILE) => {
    await till.workbench.save();
    assert.ok(await eventually(() => onDisk(file) === wanted, LIMIT_MS), `saved:\n${onDisk(file)}`);
  };
  const said = () => reviews(till.profile.apprenticeHome, turnId);
  const edit = () => inlineEdits(till.profile.apprenticeHome).find((one) => one.turn_id === turnId);
  const asked = async (instruction: string, file = FILE) => {
    const { workbench, profile } = till;
    const latest = () => inlineEdits(profile.apprenticeHome).at(-1)?.turn_id;
    const before = latest();
    await workbench.openFile(file);
    await workbench.page.keyboard.press('ControlOrMeta+A');
    await workbench.runCommand('Apprentice: Edit Selection');
    await workbench.answerInput('Edit Selection', instruction);
    await workbench.lens('Accept').first().waitFor({ timeout: LIMIT_MS });
    assert.ok(await eventually(() => latest() !== before, LIMIT_MS), 'the turn was not stored');
    turnId = latest() ?? '';
  };

  it('REVIEW-1: is shown in place, hunk by hunk, in dark and light', async () => {
    const { workbench } = till;
    agent.willAnswer(ANSWER);
    await asked('Say it shorter.');
    assert.equal(await workbench.lens('Accept').count(), 3);
    await workbench.lens('Accept All 3').waitFor();
    await workbench.notice(/Apprentice edits/).waitFor({ state: 'hidden' });
    for (const [name, look, mark] of THEMES) {
      await workbench.chooseTheme(name);
      await workbench.page.locator(`.monaco-workbench.${mark}`).waitFor();
      await workbench.screenshot(`inline-edit-${look}`);
    }
  });

  it('REVIEW-1: each hunk is accepted, rejected with a word why, or written otherwise and accepted', async () => {
    const { workbench } = till;
    await workbench.lens('Accept').first().click();
    await workbench.lens('Accept All 2').waitFor();
    await workbench.lens('Reject').first().click();
    await workbench.answerInput('Reject Hunk', 'Keep the log line, please.');
    await workbench.lens('Accept All 2').waitFor({ state: 'detached' });
    await workbench.lens('Edit').first().click();
    // At the end of what the agent wrote.
    await workbench.page.getByText('Ln 12, Col 30').waitFor();
    await workbench.page.keyboard.type(TYPED);
    await workbench.screenshot('inline-edit-half');
    await workbench.lens('Accept').first().click();
    await workbench.lens('Accept').waitFor({ state: 'detached' });
    await savedIs(`${LEFT}\n`);

    assert.ok(await eventually(() => said().length === 4, LIMIT_MS), JSON.stringify(said()));
    const hunk = `\`\`\`javascript\n${`${STRICT}${TYPED}`.trim()}\n\`\`\``;
    const whole = `\`\`\`javascript\n${LEFT}\n\`\`\``;
    assert.deepEqual(said(), [
      { hunk: 0, decision: 'accepted', comment: null, text: null },
      { hunk: 1, decision: 'rejected', comment: 'Keep the log line, please.', text: null },
      { hunk: 2, decision: 'edited', comment: null, text: hunk },
      { hunk: null, decision: 'edited', comment: null, text: whole },
    ]);
    assert.ok(await eventually(() => edit()?.hint_text === whole, LIMIT_MS), JSON.stringify(edit()));
    assert.equal(edit()?.score, -1);
    assert.equal(edit()?.decided_by, 'evidence:patch_review');
  });

  it('REVIEW-3: one undo takes all of it back though the user typed in between, and one redo brings it again', async () => {
    const { workbench } = till;
    await workbench.page.keyboard.press('ControlOrMeta+Z');
    // Told at the end of it: what is saved before may be a text on the way.
    assert.ok(await eventually(() => said().length === 5, LIMIT_MS), JSON.stringify(said()));
    await savedIs(ORIGINAL);
    assert.equal(said()[4]?.decision, 'rejected');
    await workbench.page.keyboard.press('ControlOrMeta+Y');
    assert.ok(await eventually(() => said().length === 6, LIMIT_MS), JSON.stringify(said()));
    await savedIs(`${LEFT}\n`);
    assert.deepEqual(said()[5], said()[3]);
  });

  it('REVIEW-4: what was accepted is followed, and has thumbs above it until it is committed', async () => {
    const { workbench, repository, profile } = till;
    const looks = () => userEdits(profile.apprenticeHome, turnId);
    assert.ok(await eventually(() => looks().length === 1, LIMIT_MS), 'nobody looked after 30 s');
    // Of two lines that the agent wrote one was written otherwise.
    assert.deepEqual(looks(), [{ moment: '30s', survival: 0.5 }]);
    await workbench.lens('Good edit').first().click();
    assert.ok(
      await eventually(() => edit()?.decided_by === 'evidence:thumb', LIMIT_MS),
      JSON.stringify(edit()),
    );
    await workbench.screenshot('inline-edit-thumbs');
    repository.git('commit', '--all', '--quiet', '--message', 'Shorten the basket');
    await workbench.lens('Good edit').first().waitFor({ state: 'detached', timeout: LIMIT_MS });
    assert.ok(await eventually(() => looks().length === 2, LIMIT_MS), 'the commit was not seen');
  });

  it('REVIEW-3: an undo under review takes the proposal away, and an answer without code changes nothing', async () => {
    const { workbench } = till;
    agent.willAnswer(ANSWER);
    await asked('Say it shorter still.');
    await workbench.page.keyboard.press('ControlOrMeta+Z');
    await workbench.lens('Accept').first().waitFor({ state: 'detached' });
    await savedIs(`${LEFT}\n`);
    assert.ok(await eventually(() => said().length === 1, LIMIT_MS), JSON.stringify(said()));
    assert.equal(said()[0]?.decision, 'rejected');

    agent.willAnswer('I would rather not.');
    await workbench.page.keyboard.press('ControlOrMeta+A');
    await workbench.runCommand('Apprentice: Edit Selection');
    await workbench.answerInput('Edit Selection', 'Do it all the same.');
    await workbench.notice(/answered without code: "I would rather not\."/).waitFor({ timeout: LIMIT_MS });
    await savedIs(`${LEFT}\n`);
  });

  it('REVIEW-5: Escape stops the writing, and what was asked about is as it was', async () => {
    const { workbench, profile } = till;
    agent.willAnswer(ANSWER);
    await workbench.openFile(FILE);
    const goOn = holdWorker(profile.apprenticeHome);
    try {
      await workbench.page.keyboard.press('ControlOrMeta+K');
      await workbench.page.keyboard.press('ControlOrMeta+G');
      await workbench.answerInput('Edit Selection', 'Say it again.');
      await workbench.lens('Cancel').waitFor();
      await workbench.screenshot('inline-edit-writing');
      await workbench.page.keyboard.press('Escape');
      await workbench.lens('Cancel').waitFor({ state: 'detached' });
    } finally {
      goOn();
    }
    await savedIs(`${LEFT}\n`);
  });

  it('REVIEW-6: of a file that may not be captured no decision is told', async () => {
    const { workbench } = till;
    agent.willAnswer(ANSWER);
    await asked('Say it shorter.', PRIVATE);
    await workbench.runCommand('Apprentice: Accept All Hunks');
    await workbench.lens('Accept').first().waitFor({ state: 'detached' });
    await savedIs(`${code(REDUCE, QUIET, STRICT)}\n`, PRIVATE);
    privateTurnId = turnId;
  });

  it('REVIEW-1: all rejected with nothing said, and all accepted, in a document with CRLF', async () => {
    const { workbench } = till;
    await asked('Say it shorter.', OTHER);
    await workbench.lens('Reject All').click();
    await workbench.answerInput('Reject All Hunks', '');
    await workbench.lens('Accept').first().waitFor({ state: 'detached' });
    await savedIs(crlf(code(LOOP, LOGGED, LOOSE)), OTHER);
    assert.ok(await eventually(() => said().length === 4, LIMIT_MS), JSON.stringify(said()));
    assert.deepEqual(
      said().map(({ decision, comment }) => [decision, comment]),
      Array.from({ length: 4 }, () => ['rejected', null]),
    );
    // Decisions are told in their order: those on the private file would be there by now.
    assert.deepEqual(reviews(till.profile.apprenticeHome, privateTurnId), []);

    await asked('Say it shorter.', OTHER);
    await workbench.runCommand('Apprentice: Accept All Hunks');
    await workbench.lens('Accept').first().waitFor({ state: 'detached' });
    await savedIs(crlf(code(REDUCE, QUIET, STRICT)), OTHER);
    assert.ok(await eventually(() => edit()?.score === 1, LIMIT_MS), JSON.stringify(edit()));
    await workbench.page.keyboard.press('ControlOrMeta+Z');
    assert.ok(await eventually(() => said().length === 5, LIMIT_MS), JSON.stringify(said()));
    await savedIs(crlf(code(LOOP, LOGGED, LOOSE)), OTHER);
    // Nothing of the agent's is left to rate.
    await workbench.lens('Good edit').first().waitFor({ state: 'detached', timeout: LIMIT_MS });
    await workbench.openAgentImprovement();
    await workbench.openPage('Turns');
    const turn = await workbench.openTurn(0);
    await turn.getByText('Inline edit').waitFor();
  });
});
