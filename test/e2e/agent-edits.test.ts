/** What an agent in a terminal does to a file is followed in the editor, and what the user makes of it is reported. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { userEdits } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const FILE = 'src/total.js';
const BEFORE = '  return prices.reduce((sum, price) => sum + price, 0);';
const AFTER =
  '  const sum = prices.reduce((total, price) => total + price, 0);\n  return Math.round(sum * 100) / 100;';
const answerFor = (file: string): string =>
  `I round it.\n\n${file}\n<<<<<<< SEARCH\n${BEFORE}\n=======\n${AFTER}\n>>>>>>> REPLACE\n`;
const IGNORED = 'private/total.js';
/** The panel finds the agent-server, on a machine that may be busy. */
const CONNECT_LIMIT_MS = 90_000;
const LOOK_LIMIT_MS = 60_000;

describe('The edits of an agent, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(async ({ apprenticeHome }, repository) => {
      repository.write('.apprenticeignore', '/private/\n');
      repository.write(IGNORED, `// Ours.\n${BEFORE}\n`);
      agent = await ScriptedAgent.start(apprenticeHome);
    });
    await till.workbench.answerTrust('trust');
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('agent-edits-last');
  });

  it('CAPTURE-2: are followed on the disk and in the editor, and what survives is told after 30 s and at the commit', async () => {
    const { workbench, repository, profile } = till;
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    const ignoredTurn = await agent.ask('Round our own total.', answerFor(IGNORED));
    repository.write(IGNORED, `// Ours.\n${AFTER}\n`);
    const turnId = await agent.ask('Round the total.', answerFor(FILE));
    const file = join(repository.root, FILE);
    repository.write(FILE, readFileSync(file, 'utf8').replace(BEFORE, AFTER));

    const looks = () => userEdits(profile.apprenticeHome, turnId);
    assert.ok(await eventually(() => looks().length === 1, LOOK_LIMIT_MS), 'nobody looked after 30 s');
    assert.deepEqual(looks(), [{ moment: '30s', survival: 1 }]);
    // CAP-10: its edit came first, so its look was due first.
    assert.deepEqual(userEdits(profile.apprenticeHome, ignoredTurn), []);

    await workbench.openFile(`${FILE}:3`);
    await workbench.replaceLine('  return sum;');
    assert.ok(await eventually(() => readFileSync(file, 'utf8').includes('return sum;'), LOOK_LIMIT_MS));
    repository.git('commit', '--all', '--quiet', '--message', 'Sum first');
    assert.ok(await eventually(() => looks().length === 2, LOOK_LIMIT_MS), 'the commit was not seen');
    assert.deepEqual(looks()[1], { moment: 'commit', survival: 0.5 });
  });
});
