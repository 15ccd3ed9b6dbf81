/**
 * The model that learns, in VS Code's own list of models: any chat or agent in this editor can be told to use it, and
 * what it makes of the answers is learnt from like any other agent's work. Sessions are told by their messages.
 */
import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  type LanguageModelChatInformation,
  LanguageModelChatMessageRole,
  type LanguageModelChatProvider,
  type LanguageModelChatRequestMessage,
  LanguageModelChatToolMode,
  type LanguageModelResponsePart,
  LanguageModelTextPart,
  LanguageModelToolCallPart,
  LanguageModelToolResultPart,
  l10n,
  type Progress,
  type ProvideLanguageModelChatResponseOptions,
} from 'vscode';
import type { AgentServerClient } from '../client.ts';
import { cancelledBy } from './cancelled-by.ts';
import {
  countTokens,
  type GatewayAddress,
  type GatewayMessage,
  type ModelFacts,
  modelFacts,
  streamChat,
} from './chat-stream.ts';
import { textOfParts } from './tool-parts.ts';

/** Of the context, what an answer may take. */
const ANSWER_SHARE = 0.25;
/** Characters a token, where nobody is there to count: a little less than code has, so as not to promise room. */
const CHARS_A_TOKEN = 3;

export class ApprenticeModels implements LanguageModelChatProvider, Disposable {
  readonly #client: AgentServerClient;
  readonly #changed = new EventEmitter<void>();
  readonly #subscription: Disposable;
  #known: string | null = null;
  readonly onDidChangeLanguageModelChatInformation = this.#changed.event;

  constructor(client: AgentServerClient) {
    this.#client = client;
    this.#subscription = client.onDidChange(() => {
      const known = this.#state();
      if (known === this.#known) return;
      this.#known = known;
      this.#changed.fire();
    });
  }

  /** One model, once an agent-server with an engine runs. None before: asking for a list starts nothing. */
  async provideLanguageModelChatInformation(
    _options: { silent: boolean },
    token: CancellationToken,
  ): Promise<LanguageModelChatInformation[]> {
    const gateway = gatewayOf(this.#client);
    if (gateway === null || this.#state() === null) return [];
    const facts = await modelFacts(gateway, cancelledBy(token)).catch(() => null);
    return facts === null ? [] : [informationOf(facts, this.#client.snapshot?.serving ?? '')];
  }

  /** Throws what the gateway answers; its message is what VS Code shows. */
  async provideLanguageModelChatResponse(
    model: LanguageModelChatInformation,
    messages: readonly LanguageModelChatRequestMessage[],
    options: ProvideLanguageModelChatResponseOptions,
    progress: Progress<LanguageModelResponsePart>,
    token: CancellationToken,
  ): Promise<void> {
    const gateway = gatewayOf(this.#client);
    if (gateway === null)
      throw new Error(l10n.t('Apprentice is not running. Open "Agent improvement" to start it.'));
    const tools = (options.tools ?? []).map(({ name, description, inputSchema }) => ({
      type: 'function' as const,
      function: { name, description, parameters: inputSchema ?? { type: 'object', properties: {} } },
    }));
    const body = {
      messages: messages.flatMap(gatewayMessages),
      ...(tools.length === 0 ? {} : { tools }),
      ...(tools.length > 0 && options.toolMode === LanguageModelChatToolMode.Required
        ? { tool_choice: 'required' as const }
        : {}),
      max_tokens: model.maxOutputTokens,
    };
    const headers = { 'user-agent': 'VS Code chat' };
    for await (const piece of streamChat(gateway, body, headers, cancelledBy(token))) {
      if (piece.type === 'text') progress.report(new LanguageModelTextPart(piece.text));
      if (piece.type === 'call')
        progress.report(
          new LanguageModelToolCallPart(piece.id, piece.name, argumentsOf(piece.arguments, piece.name)),
        );
    }
  }

  async provideTokenCount(
    _model: LanguageModelChatInformation,
    text: string | LanguageModelChatRequestMessage,
    token: CancellationToken,
  ): Promise<number> {
    const gateway = gatewayOf(this.#client);
    const whole = typeof text === 'string' ? text : textOf(text.content);
    const estimate = Math.ceil(whole.length / CHARS_A_TOKEN);
    return gateway === null
      ? estimate
      : countTokens(gateway, whole, cancelledBy(token)).catch(() => estimate);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }

  /** What the list of models hangs on; null: there is none. */
  #state(): string | null {
    const { state, snapshot } = this.#client;
    const up = state.kind === 'connected' && ['ready', 'busy'].includes(snapshot?.worker?.engine.state ?? '');
    return up ? (snapshot?.serving ?? null) : null;
  }
}

export function gatewayOf({ snapshot, gatewayKey }: AgentServerClient): GatewayAddress | null {
  return snapshot === null || gatewayKey === null ? null : { url: snapshot.gateway.url, key: gatewayKey };
}

function informationOf(
  { context_length: context, supported_parameters: supported }: ModelFacts,
  version: string,
): LanguageModelChatInformation {
  const maxOutputTokens = Math.floor(context * ANSWER_SHARE);
  return {
    id: 'apprentice',
    name: 'Apprentice',
    family: 'apprentice',
    version,
    detail: version.replace('policy@', ''),
    tooltip: l10n.t('The local model that learns from what you do with its answers.'),
    maxInputTokens: context - maxOutputTokens,
    maxOutputTokens,
    capabilities: { toolCalling: supported.includes('tools') },
  };
}

/** One message may hold text, calls and results of tools; for the gateway each result is a message of its own. */
function gatewayMessages({ role, content }: LanguageModelChatRequestMessage): GatewayMessage[] {
  const text = textOf(content);
  if (role === LanguageModelChatMessageRole.Assistant) {
    const calls = content
      .filter((part) => part instanceof LanguageModelToolCallPart)
      .map(({ callId, name, input }) => ({
        id: callId,
        type: 'function' as const,
        function: { name, arguments: JSON.stringify(input) },
      }));
    return [{ role: 'assistant', content: text, ...(calls.length === 0 ? {} : { tool_calls: calls }) }];
  }
  const results = content
    .filter((part) => part instanceof LanguageModelToolResultPart)
    .map(({ callId, content: result }) => ({
      role: 'tool' as const,
      content: textOf(result),
      tool_call_id: callId,
    }));
  // VS Code knows no role for instructions; some callers use a number that is neither of the two.
  const said = role === LanguageModelChatMessageRole.User ? 'user' : 'system';
  return text === '' && results.length > 0 ? results : [...results, { role: said, content: text }];
}

function textOf(content: readonly unknown[]): string {
  return textOfParts(content, LanguageModelTextPart);
}

/** What the model wrote need not be JSON; VS Code takes objects alone. A call without arguments may have no text. */
function argumentsOf(text: string, name: string): object {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below, as what is no object is.
  }
  throw new Error(`The model called ${name} with arguments that are no JSON object.`);
}
