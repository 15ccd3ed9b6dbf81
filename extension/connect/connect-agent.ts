/**
 * The command "Connect Another Agent…": which agent, then what to do with its snippet. The key is asked of the
 * agent-server only after the choice, and is neither logged nor kept here.
 */
import { env, l10n, type QuickPickItem, window, workspace } from 'vscode';
import { type Agent, agents, baseUrl, type GatewayAccess, type Snippet } from './agents.ts';

const OPEN = 'open';
const COPY = 'copy';
const COPY_URL = 'copyUrl';
const COPY_KEY = 'copyKey';

/** Throws what asking for the gateway throws. */
export async function connectAgent(access: () => Promise<GatewayAccess>): Promise<void> {
  const agent = await pickAgent();
  if (agent === null) return;
  const gateway = await access();
  const snippet = agent.snippet(gateway, process.platform === 'win32' ? 'powershell' : 'posix');
  switch (await pickAction(agent, snippet.file)) {
    case OPEN: {
      const document = await workspace.openTextDocument({
        language: snippet.language,
        content: snippet.text,
      });
      await window.showTextDocument(document);
      void offerCopy(agent, snippet);
      return;
    }
    case COPY:
      await env.clipboard.writeText(snippet.text);
      void window.showInformationMessage(whereTo(agent, snippet.file));
      return;
    case COPY_URL:
      await env.clipboard.writeText(baseUrl(agent, gateway));
      return;
    case COPY_KEY:
      await env.clipboard.writeText(gateway.key);
      return;
    default:
      return;
  }
}

/** Not awaited by the command: a message can stay on screen for as long as the user likes. */
async function offerCopy(agent: Agent, { file, text }: Snippet): Promise<void> {
  const copy = l10n.t('Copy');
  if ((await window.showInformationMessage(whereTo(agent, file), copy)) === copy)
    await env.clipboard.writeText(text);
}

async function pickAgent(): Promise<Agent | null> {
  const items = agents(l10n.t).map((agent) => ({ label: agent.name, description: agent.kind, agent }));
  const picked = await window.showQuickPick(items, {
    title: l10n.t('Connect Another Agent'),
    placeHolder: l10n.t('The agent that is to use your model; its turns are learnt from as others are'),
    matchOnDescription: true,
  });
  return picked?.agent ?? null;
}

async function pickAction(agent: Agent, file: string | null): Promise<string | null> {
  const items: (QuickPickItem & { id: string })[] = [
    { id: OPEN, label: l10n.t('Open the snippet'), description: file ?? l10n.t('for a terminal') },
    { id: COPY, label: l10n.t('Copy the snippet') },
    { id: COPY_URL, label: l10n.t('Copy the base URL') },
    { id: COPY_KEY, label: l10n.t('Copy the key') },
  ];
  const options = { title: agent.name, placeHolder: agent.where };
  return (await window.showQuickPick(items, options))?.id ?? null;
}

/** Long prompts are what most agents fail with on a small model, and nothing in their own message says so. */
function whereTo(agent: Agent, file: string | null): string {
  const place = file === null ? '' : `${file}: `;
  const size = l10n.t(
    'The built-in model reads 8,192 tokens; agents with long instructions need a larger one.',
  );
  return `${place}${agent.where} ${size}`;
}
