/**
 * `@apprentice` at work with tools, as a user has it: it reads, its edit is reviewed hunk by hunk, it runs what it is let
 * to, and each step is a turn with its next state in the store. The model is scripted.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Companion, packCompanion } from './harness/companion.ts';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { calling, ScriptedAgent } from './harness/scripted-agent.ts';
import { agentTurns, reviews, runsOf, storedText } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const CONNECT_LIMIT_MS = 90_000;
const LIMIT_MS = 60_000;
const FILE = 'src/basket.js';

const LOOP = `  let sum = 0;
  for (const price of prices) sum += price;
  return sum;`;
const REDUCE = '  return prices.reduce((sum, price) => sum + price, 0);';
const LOOSE = '  return prices.length == 0;';
const STRICT = '  return prices.length === 0;';
const code = (total: string, empty: string) =>
  `export function total(prices) {\n${total}\n}\n\nexport function empty(prices) {\n${empty}\n}\n`;
const CHECK = 'node check.mjs';
const PASSWORD = 'correct-horse-7-battery';

describe('The agent in VS Code’s chat', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;
  let caller: Companion;

  before(async () => {
    caller = await packCompanion('model-caller');
    till = await openTill(
      async ({ apprenticeHome }, repository) => {
        repository.write(FILE, code(LOOP, LOOSE));
        repository.write('check.mjs', "console.log('the terminal is ' + process.stdout.isTTY);\n");
        repository.write('src/keys.js', `export const password = ${PASSWORD};\n`);
        repository.write('.env', `PAYMENT_PASSWORD=${PASSWORD}\n`);
        repository.write('.apprenticeignore', '.env\n');
        symlinkSync('/etc/hostname', join(repository.root, 'host'));
        repository.git('add', '--all');
        repository.git('commit', '--quiet', '--message', 'Add a basket');
        agent = await ScriptedAgent.start(apprenticeHome, {}, 'tools');
      },
      { settings: { 'chat.disableAIFeatures': false }, companions: [caller.vsix] },
    );
    await till.workbench.answerTrust('trust');
    await till.workbench.openAgentImprovement();
    await till.workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('agent-last');
    caller?.remove();
  });

  const onDisk = () => readFileSync(join(till.repository.root, FILE), 'utf8');
  const turns = () => agentTurns(till.profile.apprenticeHome);

  it('AGENT-1, AGENT-4: reads, proposes an edit that is reviewed in place, and runs a command that is allowed', async () => {
    const { workbench, profile } = till;
    agent.willDo([
      { after: 'Make the basket shorter.', answer: calling('read_file', { path: FILE }, 'I look at it.') },
      {
        after: `${FILE}, lines 1 to `,
        answer: calling('edit_file', {
          path: FILE,
          old_string: code(LOOP, LOOSE),
          new_string: code(REDUCE, STRICT),
        }),
      },
      { after: 'The user took the edit', answer: calling('run_command', { command: CHECK }) },
      { after: 'the terminal is true', answer: 'The basket is shorter, and the check ran.' },
    ]);
    await workbench.runCommand('Apprentice: Open Chat');
    await workbench.say('Make the basket shorter.');
    await workbench.lens('Accept All 2').waitFor({ timeout: LIMIT_MS });
    await workbench.screenshot('agent');
    await workbench.lens('Accept').first().click();
    await workbench.lens('Accept All 2').waitFor({ state: 'detached' });
    await workbench.lens('Reject').first().click();
    await workbench.answerInput('Reject Hunk', 'Keep the loose one, null is fine there.');
    await workbench.page.getByRole('dialog').getByText(CHECK).waitFor({ timeout: LIMIT_MS });
    await workbench.screenshot('agent-asks');
    await workbench.answerDialog('Run Once');
    await workbench.said('The basket is shorter, and the check ran.', LIMIT_MS);
    await workbench.screenshot('agent-done');
    assert.equal(onDisk(), code(REDUCE, LOOSE));

    assert.ok(await eventually(() => turns().length === 4, LIMIT_MS), JSON.stringify(turns()));
    const [read, edit, ran, said] = turns();
    assert.deepEqual(
      turns().map(({ session_id, taken_for, client }) => [session_id, taken_for, client]),
      turns().map(() => [read?.session_id, 'main', 'Apprentice agent']),
    );
    assert.deepEqual(
      [read?.tool, edit?.tool, ran?.tool, said?.tool],
      ['read_file', 'edit_file', 'run_command', null],
    );
    assert.match(read?.result ?? '', /^src\/basket\.js, lines 1 to 10 of 10:\nexport function total/);
    assert.match(edit?.result ?? '', /They said: Keep the loose one/);
    assert.match(ran?.result ?? '', /^the terminal is true/);
    const decided = reviews(profile.apprenticeHome, edit?.turn_id ?? '');
    assert.deepEqual(
      decided.map(({ hunk, decision, comment }) => [hunk, decision, comment]),
      [
        [0, 'accepted', null],
        [1, 'rejected', 'Keep the loose one, null is fine there.'],
        [null, 'edited', null],
      ],
    );
    assert.equal(decided.at(-1)?.text, code(REDUCE, LOOSE));
    // AGENT-5: what the user made of it is the answer with its call rewritten.
    assert.ok(
      await eventually(() => turns()[1]?.hint_kind === 'rewrite', LIMIT_MS),
      JSON.stringify(turns()[1]),
    );
    assert.equal(
      turns()[1]?.hint_text,
      (edit?.text ?? '').replace(JSON.stringify(code(REDUCE, STRICT)), JSON.stringify(code(REDUCE, LOOSE))),
    );
    assert.equal(turns()[1]?.score, -1);
    assert.deepEqual(runsOf(profile.apprenticeHome, edit?.turn_id ?? ''), []);
  });

  it('AGENT-6: what the user does not want is not run, and what they allow for good is not asked about again', async () => {
    const { workbench } = till;
    const before = turns().length;
    const more = `${CHECK} && touch ran`;
    const asks = (command: string) =>
      workbench.page.getByRole('dialog').getByText(command, { exact: true }).waitFor({ timeout: LIMIT_MS });
    const run = (command: string) => calling('run_command', { command });
    agent.willDo([
      { after: 'Check it.', answer: run(CHECK) },
      { after: 'does not want this command', answer: run(CHECK) },
      { after: 'the terminal is true', answer: 'Checked.' },
    ]);
    await workbench.say('Check it.');
    await asks(CHECK);
    await workbench.answerDialog('Do Not Run');
    await asks(CHECK);
    await workbench.answerDialog('Always Allow This Command');
    await workbench.said('Checked.', LIMIT_MS);

    agent.willDo([
      { after: 'Check it again.', answer: run(CHECK) },
      { after: 'the terminal is true', answer: run(more) },
      { after: 'does not want this command', answer: 'Checked once.' },
    ]);
    await workbench.say('Check it again.');
    // Only for what comes along with it.
    await asks(more);
    await workbench.answerDialog('Do Not Run');
    await workbench.said('Checked once.', LIMIT_MS);

    await workbench.runCommand('Apprentice: Manage Commands That the Agent Runs Without Asking');
    const list = workbench.page.locator('.quick-input-widget');
    await list.getByText(CHECK).first().waitFor();
    await list.getByRole('checkbox').last().click();
    await list.getByRole('button', { name: 'OK' }).click();
    agent.willDo([
      { after: 'Once more.', answer: run(CHECK) },
      { after: 'does not want this command', answer: 'As you like.' },
    ]);
    await workbench.say('Once more.');
    await asks(CHECK);
    await workbench.answerDialog('Do Not Run');
    await workbench.said('As you like.', LIMIT_MS);

    const refused = 'Error: the user does not want this command to be run.';
    const ran = 'the terminal is true';
    assert.deepEqual(
      turns()
        .slice(before)
        .flatMap(({ result }) => result ?? []),
      [refused, ran, ran, refused, refused],
    );
    assert.equal(existsSync(join(till.repository.root, 'ran')), false);
  });

  it('AGENT-2, AGENT-3: what is private, somewhere else or a secret is not read', async () => {
    const { workbench, profile } = till;
    const before = turns().length;
    agent.willDo([
      { after: 'What is the password?', answer: calling('read_file', { path: '.env' }) },
      { after: 'stays private', answer: calling('read_file', { path: '/etc/hostname' }) },
      { after: 'is not in this workspace', answer: calling('read_file', { path: 'host' }) },
      { after: 'leads over a link', answer: calling('search_text', { text: 'PASSWORD' }) },
      { after: 'src/keys.js:1:', answer: calling('list_files', { pattern: '**/{.*,*.js,host}' }) },
      { after: 'src/total.js', answer: 'I cannot see it.' },
    ]);
    await workbench.say('What is the password?');
    await workbench.said('I cannot see it.', LIMIT_MS);
    assert.ok(await eventually(() => turns().length === before + 6, LIMIT_MS), JSON.stringify(turns()));
    const [, , , searched, listed] = turns().slice(before);
    assert.equal(searched?.result, 'src/keys.js:1: export const password = <secret>;');
    assert.equal(
      listed?.result,
      ['.apprenticeignore', 'src/basket.js', 'src/keys.js', 'src/total.js'].join('\n'),
    );
    assert.ok(!storedText(profile.apprenticeHome).includes(PASSWORD));
  });

  it('AGENT-4, AGENT-8: a new file is reviewed as well, and what is run after it is told of its turn', async () => {
    const { workbench, profile, repository } = till;
    const before = turns().length;
    const note = 'export const note = 1;\n';
    agent.willDo([
      { after: 'Add a note.', answer: calling('create_file', { path: 'src/new/note.js', content: note }) },
      { after: 'accepted the edit of src/new/note.js', answer: calling('run_tests', { command: CHECK }) },
      { after: 'the terminal is true', answer: 'The note is there.' },
    ]);
    await workbench.say('Add a note.');
    await workbench.lens('Accept').click({ timeout: LIMIT_MS });
    await workbench.answerDialog('Run Once');
    await workbench.said('The note is there.', LIMIT_MS);
    assert.equal(readFileSync(join(repository.root, 'src/new/note.js'), 'utf8'), note);
    const created = turns()[before]?.turn_id ?? '';
    const runs = () => runsOf(profile.apprenticeHome, created);
    assert.ok(await eventually(() => runs().length === 1, LIMIT_MS), JSON.stringify(runs()));
    assert.deepEqual(
      runs().map(({ kind, output, editedSince }) => [kind, output, editedSince]),
      [['test_run', 'the terminal is true', 0]],
    );
    assert.deepEqual(
      reviews(profile.apprenticeHome, created).map(({ hunk, decision }) => [hunk, decision]),
      [
        [0, 'accepted'],
        [null, 'accepted'],
      ],
    );
  });

  it('AGENT-1, AGENT-7: the user stops it in the middle of a command, which ends, and can go on from there', async () => {
    const { workbench, repository } = till;
    const before = turns().length;
    const wait = 'echo $$ > pid; sleep 100';
    agent.willDo([
      { after: 'Wait a little.', answer: calling('run_command', { command: wait }) },
      { after: 'What did you do?', answer: 'I waited, and was stopped.' },
    ]);
    await workbench.say('Wait a little.');
    await workbench.answerDialog('Run Once');
    const pid = () => Number(readFileSync(join(repository.root, 'pid'), 'utf8').trim());
    assert.ok(await eventually(() => existsSync(join(repository.root, 'pid')) && pid() > 0, LIMIT_MS));
    await workbench.page
      .locator('.interactive-session')
      .getByRole('button', { name: /^Cancel/ })
      .click();
    assert.ok(await eventually(() => !isAlive(pid()), LIMIT_MS), 'the command goes on');
    await workbench.say('What did you do?');
    await workbench.said('I waited, and was stopped.', LIMIT_MS);
    assert.ok(await eventually(() => turns().length === before + 2, LIMIT_MS), JSON.stringify(turns()));
    assert.equal(turns()[before]?.result, 'The user stopped this before it was done.');
  });

  it('AGENT-9: a tool of another extension is called through VS Code', async () => {
    const { workbench } = till;
    const before = turns().length;
    agent.willDo([
      { after: 'What does tea cost?', answer: calling('modelCaller_price', { name: 'tea' }) },
      { after: 'The price of tea is', answer: 'Tea costs 3.' },
    ]);
    await workbench.say('#price What does tea cost?');
    await workbench.said('Tea costs 3.', LIMIT_MS);
    assert.equal(turns()[before]?.result, 'The price of tea is 3.');
  });

  it('CHAT-6: whoever asks the model through VS Code gives it tools, gets its calls, and sends their results', async () => {
    const { workbench } = till;
    agent.willDo([
      {
        after: 'What does jam cost?',
        answer: calling('modelCaller_price', { name: 'jam' }, 'I look it up.'),
      },
      { after: 'The price of jam is', answer: 'Jam costs 3.' },
    ]);
    await workbench.runCommand('Model Caller: Ask With Tools');
    await workbench
      .notice(/^I look it up\.modelCaller_price\(\{"name":"jam"\}\)Jam costs 3\.$/)
      .waitFor({ timeout: LIMIT_MS });
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it has ended.
    return false;
  }
}
