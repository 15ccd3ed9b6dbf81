/** What git commands do to an agent's edits is told of the turn that made them, in one window on one repository. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { gitHistory, hintOf, lineages, requestOf, verdictOf } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const FILE = 'src/basket.js';
const LIMIT_MS = 60_000;
const CONNECT_LIMIT_MS = 90_000;

const basket = (sum: string, last: string): string =>
  `export function total(prices) {\n${sum}\n}\n\n// The till adds up.\n// It rounds.\n// It prints.\n\nexport function last(prices) {\n${last}\n}\n`;
const SUM = '  return prices.reduce((sum, price) => sum + price, 0);';
const ROUNDED =
  '  const sum = prices.reduce((total, price) => total + price, 0);\n  return Math.round(sum * 100) / 100;';
const LAST = '  return prices[prices.length - 1];';
const AT = '  return prices.at(-1);';
const block = (wanted: string, replacement: string): string =>
  `${FILE}\n<<<<<<< SEARCH\n${wanted}\n=======\n${replacement}\n>>>>>>> REPLACE\n`;

describe('git and the edits of an agent, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }, repository) => {
      repository.write(FILE, basket(SUM, LAST));
      repository.git('add', '--all');
      repository.git('commit', '--quiet', '--message', 'Add a basket');
      agent = await ScriptedAgent.start(apprenticeHome);
    });
    const { workbench } = till;
    await workbench.answerTrust('trust');
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    await workbench.openFile(FILE);
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('git-last');
  });

  const git = (...args: string[]): string => till.repository.git(...args);
  const onDisk = (): string => readFileSync(join(till.repository.root, FILE), 'utf8');
  const history = (turnId: string) => gitHistory(till.profile.apprenticeHome, turnId);
  const next = async (turnId: string, count: number, what: string) => {
    const done = await eventually(() => history(turnId).length >= count, LIMIT_MS);
    assert.ok(done, `${what}: not told, there is ${JSON.stringify(history(turnId))}`);
    assert.equal(history(turnId).length, count, JSON.stringify(history(turnId)));
    return history(turnId).at(-1);
  };
  /** The agent answers and writes its file; resolves once the window follows all of its edits. */
  const edits = async (...changes: readonly (readonly [string, string])[]): Promise<string> => {
    // One of an edit before this one would be taken for this one's.
    await till.workbench.lens('Good edit').first().waitFor({ state: 'detached' });
    const answer = `I change it.\n\n${changes.map(([from, to]) => block(from, to)).join('\n')}`;
    const turnId = await agent.ask('Make it better.', answer);
    const text = changes.reduce((now, [from, to]) => now.replace(from, to), onDisk());
    writeFileSync(join(till.repository.root, FILE), text);
    await till.workbench
      .lens('Good edit')
      .nth(changes.length - 1)
      .waitFor({ timeout: LIMIT_MS });
    // The user reads it first.
    till.profile.env['GIT_COMMITTER_DATE'] = `@${Math.ceil(Date.now() / 1000) + 60} +0000`;
    return turnId;
  };
  const replaceLine = async (line: number, text: string): Promise<void> => {
    await till.workbench.openFile(`${FILE}:${line}`);
    await till.workbench.replaceLine(text);
    assert.ok(await eventually(() => onDisk().includes(text), LIMIT_MS), 'not saved');
  };

  it('GIT-1: a commit of one hunk tells that one, the next one what the user made of the other: a rewritten answer', async () => {
    const turnId = await edits([SUM, ROUNDED], [LAST, AT]);
    const patch = git('diff', '--unified=0', FILE).split(/^(?=@@)/m);
    till.repository.write('../second.patch', `${patch[0]}${patch[2]}\n`);
    git('apply', '--cached', '--unidiff-zero', '../second.patch');
    git('commit', '--quiet', '--message', 'Take the last one');
    const first = { action: null, moment: 'commit', survival: 1, edits: '[{"edit":1,"text":null}]' };
    assert.deepEqual(await next(turnId, 1, 'the partial commit'), first);
    await till.workbench.lens('Good edit').first().waitFor();

    await replaceLine(3, '  return sum;');
    git('commit', '--quiet', '--all', '--message', 'Sum first');
    const told = await next(turnId, 2, 'the second commit');
    assert.equal(told?.survival, 2 / 3);
    const home = till.profile.apprenticeHome;
    assert.ok(await eventually(() => hintOf(home, turnId)?.kind === 'rewrite', LIMIT_MS), 'no rewrite');
    assert.ok(
      hintOf(home, turnId)?.text.includes(
        `=======\n${ROUNDED.split('\n')[0]}\n  return sum;\n>>>>>>> REPLACE`,
      ),
    );
    assert.ok(hintOf(home, turnId)?.text.includes(block(LAST, AT).trimEnd()));
    assert.equal(verdictOf(home, turnId)?.score, -1);
    await till.workbench.lens('Good edit').first().waitFor({ state: 'detached' });

    await replaceLine(3, '  return Math.floor(sum);');
    git('commit', '--quiet', '--all', '--amend', '--no-edit');
    assert.partialDeepStrictEqual(await next(turnId, 3, 'the amend'), { moment: 'commit' });
    assert.ok(history(turnId)[2]?.edits?.includes('Math.floor(sum)'));

    git('revert', '--no-edit', 'HEAD');
    assert.partialDeepStrictEqual(await next(turnId, 4, 'the revert'), { action: 'revert' });
    const reverted = () => verdictOf(home, turnId)?.decided_by === 'evidence:git';
    assert.ok(await eventually(reverted, LIMIT_MS), 'the revert does not decide');
    git('reset', '--quiet', '--hard', 'HEAD~3');
  });

  it('GIT-4: a checkout of the file takes the edit back, in the window too', async () => {
    const turnId = await edits([SUM, ROUNDED]);
    git('checkout', '--', FILE);
    const told = { action: 'checkout_file', moment: null, survival: 0, edits: null };
    assert.deepEqual(await next(turnId, 1, 'the checkout'), told);
    const home = till.profile.apprenticeHome;
    assert.ok(await eventually(() => verdictOf(home, turnId)?.score === -1, LIMIT_MS), 'no verdict');
  });

  it('GIT-6: a stash and another branch take it away without a word on it, and bring it back', async () => {
    const turnId = await edits([SUM, ROUNDED]);
    git('stash');
    assert.partialDeepStrictEqual(await next(turnId, 1, 'the stash'), { action: 'stash', survival: 0 });
    git('stash', 'pop');
    assert.partialDeepStrictEqual(await next(turnId, 2, 'the pop'), { action: 'stash', survival: 1 });
    git('commit', '--quiet', '--all', '--message', 'Round');
    assert.partialDeepStrictEqual(await next(turnId, 3, 'the commit'), { moment: 'commit', survival: 1 });
    git('switch', '--quiet', '--create', 'side', 'HEAD~1');
    assert.partialDeepStrictEqual(await next(turnId, 4, 'the switch'), { action: 'switch', survival: 0 });
    git('switch', '--quiet', 'main');
    assert.partialDeepStrictEqual(await next(turnId, 5, 'the way back'), { action: 'switch', survival: 1 });
    const home = till.profile.apprenticeHome;
    assert.ok(await eventually(() => verdictOf(home, turnId)?.score === 1, LIMIT_MS), 'the commit decides');
  });

  it('CAPTURE-2: an undo that is saved takes all of it back', async () => {
    const { workbench } = till;
    const turnId = await edits([LAST, AT]);
    const text = onDisk();
    await workbench.openFile(FILE);
    // What came from the disk is a step of the editor's.
    await workbench.page.keyboard.press('ControlOrMeta+Z');
    await workbench.save();
    assert.ok(await eventually(() => onDisk() !== text, LIMIT_MS), 'nothing was undone');
    assert.partialDeepStrictEqual(await next(turnId, 1, 'the undo'), { moment: 'reverted', survival: 0 });
  });

  it('DIFF-4: a message for an amend describes the last commit with what is staged, and the amend answers it', async () => {
    const { workbench, profile, repository } = till;
    delete profile.env['GIT_COMMITTER_DATE'];
    repository.write('notes.md', '# Notes\n');
    git('add', 'notes.md');
    git('commit', '--quiet', '--message', 'Add notes');
    repository.write('more.md', '# More\n');
    git('add', 'more.md');
    agent.willAnswer('docs: add notes and more');
    await workbench.openSourceControl();
    await workbench.runCommand('Apprentice: Write Message for Amend');
    const last = () => lineages(profile.apprenticeHome).at(-1);
    const proposed = () => last()?.text === 'docs: add notes and more';
    assert.ok(await eventually(proposed, LIMIT_MS), 'no message was written');
    const shown = requestOf(profile.apprenticeHome, last()?.turn_id ?? '');
    assert.ok(shown.includes('notes.md added') && shown.includes('more.md added'), shown);
    git('commit', '--quiet', '--amend', '--message', 'Add notes, and more');
    const answered = () => last()?.observed_message === 'Add notes, and more' && last()?.score === -1;
    assert.ok(await eventually(answered, LIMIT_MS), JSON.stringify(last()));
  });
});
