/** What is run after an agent's edits, by a person in VS Code's own terminal, decides how good they were. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { diagnosticsOf, runsOf, storedText, userEdits, verdictOf } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const FILE = 'src/total.js';
const PLAIN = '  return prices.reduce((sum, price) => sum + price, 0);';
const ROUNDED = '  return Math.round(prices.reduce((sum, price) => sum + price, 0) * 100) / 100;';
const BROKEN = '  return Math.round(prices.reduce((sum, price) => sum - price, 0) * 100) / 100;';
/** When it has ended, a file says so. */
const CHECKS = `import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { total } from './src/total.js';
process.on('exit', () => writeFileSync('../checked', ''));
test('adds up to cents', () => assert.equal(total([0.1, 0.2]), 0.3));
`;
/** In its JSON a comma will be missing. */
const PRICES = 'prices.json';
const TASKS = {
  version: '2.0.0',
  tasks: [
    { label: 'in a shell', type: 'shell', command: 'node prices.mjs', problemMatcher: [] },
    { label: 'by itself', type: 'process', command: 'node', args: ['prices.mjs'], problemMatcher: [] },
  ],
};
/** Fails where the prices cannot be read, and writes a report of it. */
const PRICES_CHECK = `import { readFileSync, writeFileSync } from 'node:fs';
let failure = '';
try {
  JSON.parse(readFileSync('prices.json', 'utf8'));
} catch (error) {
  failure = '<failure message="' + error.name + '"/>';
}
writeFileSync('junit.xml', '<testsuite name="prices"><testcase name="can be read">' + failure + '</testcase></testsuite>');
console.log(failure === '' ? 'prices can be read' : 'prices cannot be read');
process.exitCode = failure === '' ? 0 : 1;
`;
const CHECK = 'node --test checks.mjs';
/** Said by a command that no agent has to do with. */
const NOBODY_ASKED = 'nobody-asked-for-this';

const CONNECT_LIMIT_MS = 90_000;
const LOOK_LIMIT_MS = 60_000;
const RUN_LIMIT_MS = 60_000;
const JUDGE_LIMIT_MS = 60_000;

const answer = (file: string, search: string, replace: string): string =>
  `Done.\n\n${file}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE\n`;

describe('What is run after the edits of an agent, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }, repository) => {
      agent = await ScriptedAgent.start(apprenticeHome);
      repository.write('package.json', '{ "type": "module" }\n');
      repository.write('checks.mjs', CHECKS);
      repository.write('prices.mjs', PRICES_CHECK);
      repository.write(PRICES, '{\n  "pear": 2\n}\n');
      repository.write('.vscode/tasks.json', JSON.stringify(TASKS));
    });
    const { workbench } = till;
    await workbench.answerTrust('trust');
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('runs-last');
  });

  const stored = (turnId: string) => runsOf(till.profile.apprenticeHome, turnId);
  const verdict = (turnId: string) => verdictOf(till.profile.apprenticeHome, turnId);

  /** The agent answers and edits the file on the disk; resolves when the window has seen it. */
  async function edits(request: string, file: string, search: string, replace: string): Promise<string> {
    const { repository, profile } = till;
    const turnId = await agent.ask(request, answer(file, search, replace));
    const text = readFileSync(join(repository.root, file), 'utf8');
    assert.ok(text.includes(search), text);
    repository.write(file, text.replace(search, replace));
    const seen = await eventually(() => userEdits(profile.apprenticeHome, turnId).length > 0, LOOK_LIMIT_MS);
    assert.ok(seen, `the edit of ${request} was not seen`);
    return turnId;
  }

  async function runs(turnId: string, count: number) {
    const come = await eventually(() => stored(turnId).length >= count, RUN_LIMIT_MS);
    const all = stored(turnId);
    if (!come || all.length !== count) {
      const shown = await till.workbench.page.locator('.terminal-wrapper.active .xterm-rows').innerText();
      assert.fail(`${count} runs of the turn, not ${JSON.stringify(all, null, 1)}; the terminal: ${shown}`);
    }
    const last = all.at(-1);
    assert.ok(last);
    return last;
  }

  /** Resolves once the turn has this score, after its runs were read as these. */
  async function judged(turnId: string, score: number, runScores: (number | null)[]): Promise<void> {
    const is = () => JSON.stringify([verdict(turnId)?.score, verdict(turnId)?.run_scores]);
    const done = await eventually(() => is() === JSON.stringify([score, runScores]), JUDGE_LIMIT_MS);
    assert.ok(done, `a score of ${score}, not ${JSON.stringify([verdict(turnId), stored(turnId)], null, 1)}`);
  }

  it('CAPTURE-3, CAPTURE-4, CAPTURE-5: a command is told of the turn at work, with what it showed before', async () => {
    const { workbench, repository, profile } = till;
    // What is typed while a command runs is echoed among what it prints, so that each waits for the one before it.
    const ran = (mark: string) =>
      eventually(() => existsSync(join(repository.root, '..', mark)), RUN_LIMIT_MS);
    await workbench.typeInTerminal(
      `node -e "console.log('${NOBODY_ASKED}'); fs.writeFileSync('../first', '')"`,
    );
    assert.ok(await ran('first'), 'the first command did not run');
    await workbench.typeInOpenTerminal(CHECK);
    assert.ok(await ran('checked'), 'the check did not run');
    await workbench.typeInOpenTerminal('touch ../second');
    assert.ok(await ran('second'), 'the commands before any edit did not run');

    const mends = await edits('Round the total to cents.', FILE, PLAIN, ROUNDED);
    await workbench.typeInOpenTerminal(CHECK);
    const mended = await runs(mends, 1);
    assert.deepEqual(
      { ...mended, output: '', before: null },
      {
        kind: 'terminal',
        commandLine: CHECK,
        cwd: repository.root,
        exitCode: 0,
        output: '',
        before: null,
        editedSince: 0,
      },
    );
    assert.match(mended.output, /✔ adds up to cents/);
    assert.match(mended.before ?? '', /✖ adds up to cents/);
    assert.ok(!`${mended.output}${mended.before}`.includes('\u001b'), 'control sequences are left');
    await judged(mends, 1, [1]);

    const breaks = await edits('Write it better.', FILE, ROUNDED, BROKEN);
    await workbench.typeInOpenTerminal(CHECK);
    const broken = await runs(breaks, 1);
    assert.deepEqual([broken.exitCode, broken.editedSince], [1, 0]);
    assert.match(broken.output, /✖ adds up to cents/);
    assert.match(broken.before ?? '', /✔ adds up to cents/);
    await judged(breaks, -1, [-1]);

    // The user mends it: that is no merit of the turn.
    await workbench.openFile(`${FILE}:2`);
    await workbench.replaceLine(ROUNDED);
    const onDisk = () => readFileSync(join(repository.root, FILE), 'utf8');
    assert.ok(await eventually(() => onDisk().includes(ROUNDED), LOOK_LIMIT_MS), `not saved: ${onDisk()}`);
    await workbench.typeInOpenTerminal(CHECK);
    const byUser = await runs(breaks, 2);
    assert.deepEqual([byUser.exitCode, byUser.editedSince], [0, 1]);
    await judged(breaks, -1, [-1, null]);

    const kept = storedText(profile.apprenticeHome);
    const at = kept.indexOf(NOBODY_ASKED);
    assert.equal(at, -1, `what nobody asked for was kept: ${kept.slice(Math.max(0, at - 300), at + 100)}`);
  });

  it('CAPTURE-6, CAPTURE-7, CAPTURE-8: so is a task, a report that is written, and what a language server says', async () => {
    const { workbench, profile } = till;
    // Open, or no language server reads it.
    await workbench.openFile(PRICES);
    const turnId = await edits('Add a price.', PRICES, '"pear": 2', '"pear": 2\n  "plum": 3');
    const problems = () => diagnosticsOf(profile.apprenticeHome, turnId);
    assert.ok(await eventually(() => problems().length > 0, LOOK_LIMIT_MS), 'no language server was heard');
    const [said] = problems();
    assert.deepEqual(
      said && {
        ...said,
        appeared: said.appeared.map(({ message, ...rest }) => ({ ...rest, message: message !== '' })),
      },
      { appeared: [{ path: PRICES, line: 3, severity: 'error', message: true }], vanished: [] },
    );

    for (const [index, task] of ['in a shell', 'by itself'].entries()) {
      const ofKind = (kind: string) => stored(turnId).filter((one) => one.kind === kind);
      const failed = { commandLine: null, cwd: null, before: null, editedSince: 0 };
      await workbench.runCommand('Tasks: Run Task');
      await workbench.pick(task);
      const told = await eventually(
        () => ofKind('task').length > index && ofKind('test_run').length > index,
        RUN_LIMIT_MS,
      );
      assert.ok(told, `the task ${task}, not ${JSON.stringify(stored(turnId), null, 1)}`);
      const output = 'prices cannot be read';
      assert.deepEqual(ofKind('task')[index], { kind: 'task', exitCode: 1, output, ...failed });
      assert.match(ofKind('test_run')[index]?.output ?? '', /<failure message="SyntaxError"/);
    }
    assert.equal(stored(turnId).length, 4, 'a task is told once, not as a command too');
    await judged(turnId, -1, [-1, -1, -1, -1]);
  });
});
