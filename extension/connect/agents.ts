/**
 * How each agent is told of the gateway: what to save or to run, in the form that its own documentation gives. Pure. The
 * quick pick is connect-agent.ts; what the gateway answers is the agent-server's.
 */
import { type Shell, shellLines, yamlText } from './text-forms.ts';

/** The gateway, as `apprentice/gateway` names it. */
export interface GatewayAccess {
  /** Without `/v1`. */
  url: string;
  /** A secret. */
  key: string;
}

export interface Snippet {
  /** Where it is saved; null: its lines are run in a terminal. */
  file: string | null;
  /** VS Code's id of its language. */
  language: 'json' | 'toml' | 'yaml' | 'shellscript' | 'powershell';
  text: string;
}

export interface Agent {
  id: string;
  name: string;
  /** What it is, next to its name. */
  kind: string;
  speaks: 'openai' | 'anthropic';
  /** Where the snippet goes, in a sentence or two. */
  where: string;
  snippet(access: GatewayAccess, shell: Shell): Snippet;
}

/** The base URL as the agent wants it: Anthropic's clients add `/v1` themselves. */
export function baseUrl({ speaks }: Agent, { url }: GatewayAccess): string {
  return speaks === 'anthropic' ? url : `${url}/v1`;
}

/** `vscode.l10n.t`, or something that says the same in English. */
export type Translate = (message: string, ...args: string[]) => string;

const MODEL = 'apprentice';

const json = (file: string, value: object): Snippet => ({
  file,
  language: 'json',
  text: `${JSON.stringify(value, null, 2)}\n`,
});

/** The heading is what an untitled document is called by: without it that would be the key. */
const run = (shell: Shell, heading: string, variables: Record<string, string>, command: string): Snippet => ({
  file: null,
  language: shell === 'powershell' ? 'powershell' : 'shellscript',
  text: `# ${heading}\n${shellLines(shell, variables, command)}`,
});

/** In the order in which they are offered. */
export function agents(t: Translate): Agent[] {
  const terminal = t('Run these lines in a terminal: they hold for that terminal alone.');
  return [
    {
      id: 'cline',
      name: 'Cline',
      kind: t('extension and command line'),
      speaks: 'openai',
      where: t(
        'The command sets up the command line. In the extension choose the provider "OpenAI Compatible" and fill in the same base URL, key and model.',
      ),
      snippet: ({ url, key }, shell) =>
        run(
          shell,
          'Cline with Apprentice',
          {},
          `cline auth --provider openai-compatible --modelid ${MODEL} --baseurl ${url}/v1 --apikey ${key}`,
        ),
    },
    {
      id: 'roo',
      name: t('Roo Code and its forks'),
      kind: t('extension'),
      speaks: 'openai',
      where: t(
        'Save it outside of any repository, then import it: Settings > About > Import. What you have set there stays, as a profile of its own.',
      ),
      snippet: ({ url, key }) =>
        json('apprentice-roo-settings.json', {
          providerProfiles: {
            currentApiConfigName: MODEL,
            apiConfigs: {
              [MODEL]: {
                id: MODEL,
                apiProvider: 'openai',
                openAiBaseUrl: `${url}/v1`,
                openAiApiKey: key,
                openAiModelId: MODEL,
              },
            },
          },
        }),
    },
    {
      id: 'continue',
      name: 'Continue',
      kind: t('extension'),
      speaks: 'openai',
      where: t('Save it as that file. If you have one already, add the entry under "models" to it.'),
      snippet: ({ url, key }) => ({
        file: '~/.continue/config.yaml',
        language: 'yaml',
        text: [
          '# ~/.continue/config.yaml',
          'name: Apprentice',
          'version: 1.0.0',
          'schema: v1',
          'models:',
          '  - name: Apprentice',
          '    provider: openai',
          `    model: ${MODEL}`,
          `    apiBase: ${yamlText(`${url}/v1`)}`,
          `    apiKey: ${yamlText(key)}`,
          '    roles: [chat, edit, apply]',
          '',
        ].join('\n'),
      }),
    },
    {
      id: 'aider',
      name: 'Aider',
      kind: t('command line'),
      speaks: 'openai',
      where: terminal,
      snippet: ({ url, key }, shell) =>
        run(
          shell,
          'Aider with Apprentice',
          { OPENAI_API_BASE: `${url}/v1`, OPENAI_API_KEY: key },
          `aider --model openai/${MODEL} --no-show-model-warnings`,
        ),
    },
    {
      id: 'opencode',
      name: 'OpenCode',
      kind: t('command line'),
      speaks: 'openai',
      where: t(
        'Save it as that file, then run "opencode --model apprentice/apprentice". If you have one already, add the entry under "provider" to it.',
      ),
      snippet: ({ url, key }) =>
        json('~/.config/opencode/opencode.json', {
          $schema: 'https://opencode.ai/config.json',
          provider: {
            [MODEL]: {
              npm: '@ai-sdk/openai-compatible',
              name: 'Apprentice',
              options: { baseURL: `${url}/v1`, apiKey: key },
              models: { [MODEL]: { name: 'Apprentice' } },
            },
          },
        }),
    },
    {
      id: 'openhands',
      name: 'OpenHands',
      kind: t('command line'),
      speaks: 'openai',
      where: terminal,
      snippet: ({ url, key }, shell) =>
        run(
          shell,
          'OpenHands with Apprentice',
          { LLM_MODEL: `openai/${MODEL}`, LLM_BASE_URL: `${url}/v1`, LLM_API_KEY: key },
          'openhands --override-with-envs',
        ),
    },
    {
      id: 'codex',
      name: 'Codex CLI',
      kind: t('command line'),
      speaks: 'openai',
      where: t('Add it at the end of that file. The comment in it says how to start Codex.'),
      snippet: ({ url, key }, shell) => ({
        file: '~/.codex/config.toml',
        language: 'toml',
        text: [
          '# ~/.codex/config.toml',
          `[model_providers.${MODEL}]`,
          'name = "Apprentice"',
          `base_url = ${JSON.stringify(`${url}/v1`)}`,
          'env_key = "APPRENTICE_API_KEY"',
          'wire_api = "responses"',
          '',
          '# Codex is then started so:',
          ...shellLines(shell, { APPRENTICE_API_KEY: key }, `codex -c model_provider=${MODEL} -m ${MODEL}`)
            .trimEnd()
            .split('\n')
            .map((line) => `#   ${line}`),
          '',
        ].join('\n'),
      }),
    },
    {
      id: 'claude-code',
      name: 'Claude Code',
      kind: t('command line'),
      speaks: 'anthropic',
      where: terminal,
      snippet: ({ url, key }, shell) =>
        run(
          shell,
          'Claude Code with Apprentice',
          {
            ANTHROPIC_BASE_URL: url,
            ANTHROPIC_AUTH_TOKEN: key,
            ANTHROPIC_MODEL: MODEL,
            // Each of its tiers asks for a model of its own, helpers included.
            ANTHROPIC_DEFAULT_OPUS_MODEL: MODEL,
            ANTHROPIC_DEFAULT_SONNET_MODEL: MODEL,
            ANTHROPIC_DEFAULT_HAIKU_MODEL: MODEL,
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
          },
          'claude',
        ),
    },
    {
      id: 'openai',
      name: t('Any OpenAI client'),
      kind: t('library or program'),
      speaks: 'openai',
      where: terminal,
      snippet: ({ url, key }, shell) =>
        run(
          shell,
          'Apprentice',
          { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key, OPENAI_MODEL: MODEL },
          `curl ${url}/v1/models --header "Authorization: Bearer ${shell === 'powershell' ? '$env:OPENAI_API_KEY' : '$OPENAI_API_KEY'}"`,
        ),
    },
  ];
}
