/** What is offered for each agent is what its programs read: parsed here by parsers of the format, not by eye. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { agents } from '../../../extension/connect/agents.ts';

const ACCESS = { url: 'http://127.0.0.1:4321', key: 'k_-9'.repeat(11) };
const BASE = `${ACCESS.url}/v1`;
const all = agents((message) => message);

function snippetOf(id: string, shell: 'posix' | 'powershell' = 'posix') {
  const agent = all.find((one) => one.id === id);
  assert.ok(agent, id);
  return agent.snippet(ACCESS, shell);
}

/** The variables that the lines set, as a shell has them: its last line, the command, is left out. */
function variablesOf(text: string, names: readonly string[]): string[] {
  const lines = text.trimEnd().split('\n').slice(0, -1);
  const script = `${lines.join('\n')}\nprintf '%s\\n' ${names.map((name) => `"$${name}"`).join(' ')}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
}

test('CONNECT-1: every agent has a snippet with the key, a place for it and a word on that', () => {
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  for (const { id, where } of all) {
    for (const shell of ['posix', 'powershell'] as const) {
      const { file, text, language } = snippetOf(id, shell);
      assert.ok(text.includes(ACCESS.key) && text.includes(ACCESS.url), id);
      assert.ok(text.endsWith('\n') && where.length > 20, id);
      assert.ok(!text.split('\n')[0]?.includes(ACCESS.key), `${id}: the title of the document is the key`);
      assert.equal(file === null, language === 'shellscript' || language === 'powershell', id);
    }
  }
});

test('CONNECT-1: what is saved as a file is valid, and says what the agent looks for', () => {
  const roo = JSON.parse(snippetOf('roo').text).providerProfiles;
  assert.deepEqual(roo.apiConfigs[roo.currentApiConfigName], {
    id: 'apprentice',
    apiProvider: 'openai',
    openAiBaseUrl: BASE,
    openAiApiKey: ACCESS.key,
    openAiModelId: 'apprentice',
  });

  const { provider } = JSON.parse(snippetOf('opencode').text);
  assert.deepEqual(provider.apprentice.options, { baseURL: BASE, apiKey: ACCESS.key });
  assert.ok(provider.apprentice.models.apprentice);

  const [model] = parseYaml(snippetOf('continue').text).models;
  assert.deepEqual(
    [model.provider, model.model, model.apiBase, model.apiKey],
    ['openai', 'apprentice', BASE, ACCESS.key],
  );

  const codex = snippetOf('codex').text;
  assert.deepEqual(JSON.parse(JSON.stringify(parseToml(`model = "other"\n\n${codex}`))), {
    model: 'other',
    model_providers: {
      apprentice: {
        name: 'Apprentice',
        base_url: BASE,
        env_key: 'APPRENTICE_API_KEY',
        wire_api: 'responses',
      },
    },
  });
  const comment = codex.matchAll(/^# {3}(.*)$/gm);
  const [value] = variablesOf([...comment].map(([, line]) => line).join('\n'), ['APPRENTICE_API_KEY']);
  assert.equal(value, ACCESS.key);
});

test('CONNECT-1: what is run in a terminal sets what the agent reads', {
  skip: process.platform === 'win32',
}, () => {
  const set = {
    aider: { OPENAI_API_BASE: BASE, OPENAI_API_KEY: ACCESS.key },
    openhands: { LLM_MODEL: 'openai/apprentice', LLM_BASE_URL: BASE, LLM_API_KEY: ACCESS.key },
    'claude-code': { ANTHROPIC_BASE_URL: ACCESS.url, ANTHROPIC_AUTH_TOKEN: ACCESS.key },
    openai: { OPENAI_BASE_URL: BASE, OPENAI_API_KEY: ACCESS.key },
  };
  for (const [id, wanted] of Object.entries(set)) {
    const { text } = snippetOf(id);
    assert.deepEqual(variablesOf(text, Object.keys(wanted)), Object.values(wanted), id);
    for (const [name, value] of Object.entries(wanted))
      assert.ok(snippetOf(id, 'powershell').text.includes(`$env:${name} = '${value}'\n`), id);
  }
});
