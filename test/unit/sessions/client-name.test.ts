/** Programs are told apart by what they call themselves, and nothing of it can do harm where it is shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientName } from '../../../agent-server/sessions/client-name.ts';

test('SESSION-7: known agents have their own names, others the first word of their User-Agent', () => {
  const named = {
    'codex_exec/0.169.0 (Debian 13; x86_64) unknown': 'Codex CLI',
    'claude-cli/2.1.304 (external, cli)': 'Claude Code',
    'opencode/1.18.33 ai-sdk/provider-utils/4.0.1 runtime/bun/1.3': 'OpenCode',
    'OpenAI/Python 2.8.1': 'OpenAI',
    'curl/8.5.0': 'curl',
    node: 'node',
  };
  for (const [agent, name] of Object.entries(named)) assert.equal(clientName(agent, []), name);
});

test('SESSION-7: an agent that sends with a library is known by how its instructions begin', () => {
  const system = (content: string) => [{ role: 'system' as const, content }];
  assert.equal(
    clientName('OpenAI/Python 2.8.1', system('Act as an expert software developer.\nTake')),
    'Aider',
  );
  assert.equal(
    clientName('ai-sdk/openai-compatible/3', system('You are Cline, an AI coding agent.')),
    'Cline',
  );
  assert.equal(clientName('codex_exec/0.169.0', system('You are Cline')), 'Codex CLI');
  assert.equal(clientName('node', [{ role: 'user', content: 'You are Cline' }]), 'node');
});

test('SESSION-7: a name is at most 40 plain characters, or none', () => {
  assert.equal(clientName(undefined, []), null);
  assert.equal(clientName(' \t/1.0', []), null);
  assert.equal(clientName('<img src=x onerror=alert(1)>', []), null);
  assert.equal(clientName('evil\u202Etxt.exe\u0007/1', []), 'evil');
  assert.equal(clientName(`${'a'.repeat(5_000)}/1`, [])?.length, 40);
});
