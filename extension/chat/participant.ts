/**
 * `@apprentice` in the chat view: each answer is a turn, the user's next message and thumbs are what followed it.
 * The model is the one that learns, whatever model the chat view is set to.
 */
import { randomUUID } from 'node:crypto';
import {
  type CancellationToken,
  type ChatContext,
  type ChatRequest,
  type ChatRequestHandler,
  type ChatResponseStream,
  type ChatResult,
  type ChatResultFeedback,
  ChatResultFeedbackKind,
  Location,
  l10n,
  Uri,
  workspace,
} from 'vscode';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { SESSION_HEADER, TURN_HEADER } from '../../agent-server/protocol/gateway.ts';
import type { AgentParts } from '../agent/agent.ts';
import type { AgentServerClient } from '../client.ts';
import type { ThumbValue } from '../feedback/thumbs.ts';
import { cancelledBy } from './cancelled-by.ts';
import {
  type GatewayAddress,
  type GatewayMessage,
  type ModelFacts,
  modelFacts,
  streamChat,
} from './chat-stream.ts';
import { Exchange, exchangesOf, messagesOf } from './exchange.ts';
import { gatewayOf } from './model-provider.ts';

export interface ChatParts {
  client: AgentServerClient;
  /** False: there is no model to ask, and the user has been told how to get one. */
  ready(): boolean;
  /** False: the user does not want Apprentice at all. */
  askConsent(): Promise<boolean>;
  /** Writes a message into the box of Source Control; what stands there then. Null: nothing was written. */
  writeCommitMessage(): Promise<string | null>;
  rate(turnId: string, value: ThumbValue): Promise<unknown>;
  /** Takes secrets out of what is asked (capture/scrub). */
  scrub(text: string): Promise<string>;
  /** May this file be shown to the model, and kept (capture/ignore)? */
  mayCapture(path: string): Promise<boolean>;
  /** What the agent works with, where the model was taught to call tools (agent/). */
  agent: AgentParts;
}

const SYSTEM =
  'You are Apprentice, a coding assistant. Answer briefly, and with code where code is asked for.';
/** As coding agents commonly ask. */
const TEMPERATURE = 0.2;
const MAX_ANSWER_TOKENS = 1_024;
/** A large model takes that long to be read from a disk. */
const LOAD_LIMIT_MS = 180_000;
/** Of all that is attached to one message; the model's context has to hold the conversation besides. */
const MAX_ATTACHED_CHARS = 8_000;

export interface ChatHandlers {
  answer: ChatRequestHandler;
  rated(feedback: ChatResultFeedback): Promise<void>;
}

/** What the participant that activate.ts registers does. */
export function chatHandlers(parts: ChatParts): ChatHandlers {
  return {
    answer: (request, context, stream, token) =>
      request.command === 'commit' ? commit(parts, stream) : answer(parts, request, context, stream, token),
    rated: (feedback) => rated(parts, feedback),
  };
}

async function answer(
  parts: ChatParts,
  request: ChatRequest,
  context: ChatContext,
  stream: ChatResponseStream,
  token: CancellationToken,
): Promise<ChatResult> {
  if (!workspace.isTrusted)
    return told(l10n.t('Apprentice reads nothing in a workspace that you have not trusted.'));
  if (!parts.ready() || !(await parts.askConsent())) return told(l10n.t('Apprentice has not been set up.'));
  const gateway = gatewayOf(parts.client);
  if (gateway === null)
    return told(l10n.t('Apprentice is not running. Open "Agent improvement" to start it.'));
  const before = exchangesOf(context);
  const asked = await parts.scrub(`${request.prompt}${await attached(request, parts)}`);
  const sessionId = before.at(-1)?.sessionId ?? `chat-${randomUUID()}`;
  const signal = cancelledBy(token);
  const facts = await factsOf(parts.client, gateway, stream, signal);
  const why = whyWithoutTools(facts);
  if (facts !== null && why === null) {
    const { runAgent } = await import('../agent/agent.ts');
    return runAgent(parts.agent, { gateway, facts, request, stream, signal, before, asked, sessionId });
  }
  if (request.command === 'agent' && facts !== null) stream.markdown(`*${why}*\n\n`);
  const messages: GatewayMessage[] = [
    { role: 'system', content: SYSTEM },
    ...before.flatMap(messagesOf),
    { role: 'user', content: asked },
  ];
  const headers = { [SESSION_HEADER]: sessionId, [TURN_HEADER]: 'main', 'user-agent': 'Apprentice chat' };
  const body = { messages, temperature: TEMPERATURE, max_tokens: MAX_ANSWER_TOKENS };
  const exchange: Exchange = { sessionId, turnId: '', asked, steps: [], answer: '' };
  try {
    for await (const piece of streamChat(gateway, body, headers, signal)) {
      if (piece.type === 'begun') exchange.turnId = piece.turnId;
      if (piece.type !== 'text') continue;
      exchange.answer += piece.text;
      stream.markdown(piece.text);
    }
    return { metadata: exchange };
  } catch (thrown) {
    if (token.isCancellationRequested) return {};
    const { message, remedy } = toApprenticeError(thrown);
    return told(`${message} ${remedy}`.trim());
  }
}

/** Waits for a model that is still being loaded. Null: there is none, which is told when it is asked. */
async function factsOf(
  client: AgentServerClient,
  gateway: GatewayAddress,
  stream: ChatResponseStream,
  signal: AbortSignal,
): Promise<ModelFacts | null> {
  const ask = (): Promise<ModelFacts | null> => modelFacts(gateway, signal).catch(() => null);
  const isStarting = (): boolean => client.snapshot?.worker?.engine.state === 'starting';
  const facts = await ask();
  if (facts !== null || !isStarting()) return facts;
  stream.progress(l10n.t('The model is still loading'));
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const subscription = client.onDidChange(() => !isStarting() && resolve());
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LOAD_LIMIT_MS)]);
  limit.addEventListener('abort', () => resolve(), { once: true });
  await over;
  subscription.dispose();
  return ask();
}

/** Why the model works without tools here; null: it works with them. */
function whyWithoutTools(facts: ModelFacts | null): string | null {
  if (facts?.supported_parameters.includes('tools') !== true)
    return l10n.t(
      'This model was not taught to call tools (its chat template has no place for them), so it answers in words alone. The setting apprentice.model names another.',
    );
  if ((workspace.workspaceFolders ?? []).some(({ uri }) => uri.scheme === 'file')) return null;
  return l10n.t(
    'Open a folder first: without one there is nothing to work on, and the model answers in words alone.',
  );
}

/** `/commit`: the button of Source Control, from the chat. */
async function commit(parts: ChatParts, stream: ChatResponseStream): Promise<ChatResult> {
  stream.progress(l10n.t('Reading what is staged'));
  const text = await parts.writeCommitMessage();
  if (text === null) return told(l10n.t('No message was written.'));
  stream.markdown(
    `${l10n.t('Written into the box of Source Control. Change it there as you like, and commit:')}\n`,
  );
  const fence = '`'.repeat(
    3 + (text.match(/`+/g) ?? []).reduce((most, { length }) => Math.max(most, length), 0),
  );
  stream.markdown(`${fence}text\n${text}\n${fence}\n`);
  stream.button({ command: 'workbench.view.scm', title: l10n.t('Show Source Control') });
  return {};
}

async function rated(parts: ChatParts, { result, kind }: ChatResultFeedback): Promise<void> {
  const { data } = Exchange.safeParse(result.metadata);
  if (data !== undefined) await parts.rate(data.turnId, kind === ChatResultFeedbackKind.Helpful ? 1 : -1);
}

/** Files and selections that the user attached, as text below the request. */
async function attached({ references }: ChatRequest, parts: Pick<ChatParts, 'mayCapture'>): Promise<string> {
  let text = '';
  for (const { value } of references.toReversed()) {
    const room = MAX_ATTACHED_CHARS - text.length;
    if (room <= 0) break;
    const part = await attachedText(value, parts);
    if (part !== null) text += `\n\n${part.name}:\n${part.text.slice(0, room)}`;
  }
  return text;
}

async function attachedText(
  value: unknown,
  { mayCapture }: Pick<ChatParts, 'mayCapture'>,
): Promise<{ name: string; text: string } | null> {
  if (typeof value === 'string') return { name: 'Attached', text: value };
  const place =
    value instanceof Uri ? { uri: value, range: undefined } : value instanceof Location ? value : null;
  if (place === null) return null;
  const name = workspace.asRelativePath(place.uri);
  if (place.uri.scheme === 'file' && !(await mayCapture(place.uri.fsPath)))
    return { name, text: '(left out: this file is ignored)' };
  const document = await workspace.openTextDocument(place.uri).then(
    (opened) => opened,
    () => null,
  );
  return document && { name, text: document.getText(place.range) };
}

function told(message: string): ChatResult {
  return { errorDetails: { message } };
}
