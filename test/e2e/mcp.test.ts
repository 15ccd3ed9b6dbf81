/** Tools of an MCP server that VS Code starts, called by `@apprentice`. The model is scripted. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missingVSCode } from './harness/launch.ts';
import { calling, ScriptedAgent } from './harness/scripted-agent.ts';
import { agentTurns } from './harness/stored.ts';
import { openTill, type Till } from './harness/till.ts';

const LIMIT_MS = 60_000;
const CONNECT_LIMIT_MS = 90_000;
const SERVER = join(import.meta.dirname, '..', 'fixtures', 'mcp-server', 'prices.mjs');
/** As VS Code names them: `mcp_`, the server, the tool. */
const [PRICE, BUY] = ['mcp_prices_price', 'mcp_prices_buy'];

describe('A tool of an MCP server in VS Code’s chat', { skip: await missingVSCode() }, () => {
  let agent: ScriptedAgent;
  let till: Till;

  before(async () => {
    till = await openTill(
      async ({ apprenticeHome }, repository) => {
        const servers = { prices: { type: 'stdio', command: process.execPath, args: [SERVER] } };
        repository.write('.vscode/mcp.json', JSON.stringify({ servers }));
        agent = await ScriptedAgent.start(apprenticeHome, {}, 'tools');
      },
      { settings: { 'chat.disableAIFeatures': false } },
    );
    await till.workbench.answerTrust('trust');
    await till.workbench.openAgentImprovement();
    await till.workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
  });
  after(async () => {
    await agent?.stop();
    await till?.close('mcp-last');
  });

  it('AGENT-9: they are called, once the user says yes where VS Code asks, and what they answer is the next state', async () => {
    const { workbench, profile } = till;
    agent.willDo([
      { after: 'What does tea cost here?', answer: calling(PRICE, { name: 'tea' }) },
      { after: 'In the shop tea costs 3.', answer: calling(BUY, { name: 'tea' }) },
      { after: 'You bought tea.', answer: 'Tea cost 3, and is yours.' },
    ]);
    await workbench.runCommand('MCP: List Servers');
    await workbench.pick('prices');
    await workbench.pick('Start Server');
    await workbench.page
      .locator('.view-line')
      .filter({ hasText: 'Discovered' })
      .waitFor({ timeout: LIMIT_MS });
    await workbench.runCommand('Apprentice: Open Chat');
    await workbench.say('What does tea cost here?');
    const allow = workbench.page.getByRole('button', { name: /^Allow/ }).first();
    await allow.waitFor({ timeout: LIMIT_MS });
    await workbench.screenshot('mcp-asks');
    await allow.click();
    await workbench.said('Tea cost 3, and is yours.', LIMIT_MS);
    const called = agentTurns(profile.apprenticeHome).map(({ tool, result }) => [tool, result]);
    assert.deepEqual(called.slice(0, 2), [
      [PRICE, 'In the shop tea costs 3.'],
      [BUY, 'You bought tea.'],
    ]);
  });
});
