/** Thumbs of VS Code's own below answers of `@apprentice`. */
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

describe('Thumbs of the chat view, in VS Code', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;
  // VS Code shows them only beside an extension that brings the chat's default participant.
  let provider: Companion;

  before(async () => {
    provider = await packCompanion('default-participant');
    till = await openTill(
      async ({ apprenticeHome }) => {
        agent = await ScriptedAgent.start(apprenticeHome);
      },
      { settings: { 'chat.disableAIFeatures': false }, companions: [provider.vsix] },
    );
    await till.workbench.answerTrust('trust');
    await till.workbench.openAgentImprovement();
    await till.workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
  after(async () => {
    // Before the home that it serves is removed.
    await agent?.stop();
    await till?.close('chat-thumbs-last');
    provider?.remove();
  });

  it('CHAT-1: a thumb is the next state of the answer that it stands below', async () => {
    const { workbench, profile } = till;
    agent.willAnswer('It adds the prices up.');
    await workbench.runCommand('Apprentice: Open Chat');
    await workbench.say('What does total do?');
    const answer = await workbench.said('It adds the prices up.', ANSWER_LIMIT_MS);
    await answer.hover();
    await answer.getByRole('button', { name: 'Unhelpful' }).click();
    assert.ok(await eventually(() => chatTurns(profile.apprenticeHome)[0]?.next === 'thumb', 10_000));
  });
});
