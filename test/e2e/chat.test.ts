/** The chat view and the list of models of a real VS Code, without an account of any provider. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Companion, packCompanion } from './harness/companion.ts';
import { missingVSCode } from './harness/launch.ts';
import { eventually } from './harness/process-group.ts';
import { ScriptedAgent } from './harness/scripted-agent.ts';
import { chatTurns } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const CONNECT_LIMIT_MS = 90_000;
const ANSWER_LIMIT_MS = 30_000;

describe('Chat with Apprentice, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;
  let caller: Companion;

  before(async () => {
    caller = await packCompanion('model-caller');
    till = await openTill(
      async ({ apprenticeHome }) => {
        agent = await ScriptedAgent.start(apprenticeHome);
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
    await till?.close('chat-last');
    caller?.remove();
  });

  it('CHAT-1: an answer of @apprentice is a turn, and what the user says next is what followed it', async () => {
    const { workbench, profile } = till;
    agent.willAnswer('It adds the prices up.');
    await workbench.runCommand('Apprentice: Open Chat');
    await workbench.say('What does total do?');
    await workbench.said('It adds the prices up.', ANSWER_LIMIT_MS);
    await workbench.screenshot('chat');
    agent.willAnswer('With reduce.');
    await workbench.say('Wrong, tell me how it does that.');
    await workbench.said('With reduce.', ANSWER_LIMIT_MS);
    assert.ok(await eventually(() => chatTurns(profile.apprenticeHome)[0]?.next === 'user_reply', 10_000));
    const [first, second] = chatTurns(profile.apprenticeHome);
    assert.deepEqual(
      [first?.text, first?.taken_for, first?.next_text],
      ['It adds the prices up.', 'main', 'Wrong, tell me how it does that.'],
    );
    assert.deepEqual([second?.text, second?.session_id], ['With reduce.', first?.session_id]);
  });

  it('AGENT-1: a model that was not taught to call tools says so when it is asked to, and answers in words', async () => {
    const { workbench } = till;
    agent.willAnswer('I would add a test.');
    await workbench.say('/agent Make it better.');
    await workbench.said('This model was not taught to call tools', ANSWER_LIMIT_MS);
    await workbench.said('I would add a test.', ANSWER_LIMIT_MS);
  });

  it('CHAT-2: /commit writes what is staged into the box of Source Control', async () => {
    const { workbench, repository } = till;
    repository.write('src/total.js', 'export const total = 1;\n');
    repository.git('add', '--all');
    agent.willAnswer('Total is one');
    await workbench.say('/commit ');
    await workbench.said('Total is one', ANSWER_LIMIT_MS);
    await workbench.openSourceControl();
    await workbench.commitMessageIs((text) => text === 'Total is one', ANSWER_LIMIT_MS);
  });

  it('CHAT-3: another extension may ask the model through VS Code, and that is a turn as well', async () => {
    const { workbench, profile } = till;
    agent.willAnswer('Seven, I think.');
    await workbench.runCommand('Model Caller: Ask');
    await workbench.notice(/^Of \d+ tokens: Seven, I think\.$/).waitFor({ timeout: ANSWER_LIMIT_MS });
    const turn = chatTurns(profile.apprenticeHome).at(-1);
    assert.deepEqual(
      [turn?.text, turn?.taken_for, turn?.client],
      ['Seven, I think.', 'main', 'VS Code chat'],
    );
  });
});
