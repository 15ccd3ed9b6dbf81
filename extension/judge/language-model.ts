/**
 * A language model of this editor as the judge of the agent-server, when the setting `apprentice.judge` says so and
 * the user has let VS Code pass our requests on. What is asked, and what counts as an answer, is the server's.
 */
import {
  CancellationTokenSource,
  type LanguageModelAccessInformation,
  type LanguageModelChat,
  LanguageModelChatMessage,
  LanguageModelError,
  l10n,
  lm,
  window,
} from 'vscode';
import type { z } from 'zod';
import type { serverRequests } from '../../agent-server/protocol/editor.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { VENDOR } from '../manifest.ts';
import { judgeSetting } from '../settings.ts';

type Prompt = z.output<typeof serverRequests.judge.params>;
type Answer = z.input<typeof serverRequests.judge.result>;

/** An answer has a few hundred characters; a model that does not end is not listened to for longer. */
const MAX_ANSWER_CHARACTERS = 65_536;

export class LanguageModelJudge {
  readonly #access: LanguageModelAccessInformation;
  #offered = false;

  constructor(access: LanguageModelAccessInformation) {
    this.#access = access;
  }

  /** Whether this window can judge now: a request would go through without asking the user anything. */
  async offer(): Promise<boolean> {
    this.#offered = await this.#ready();
    return this.#offered;
  }

  /** Whether `offer` would say something else than last time. */
  async changed(): Promise<boolean> {
    return (await this.#ready()) !== this.#offered;
  }

  /** One vote. Throws `judge_unavailable` when the model is gone, not permitted any more, or over its quota. */
  async answer({ system, user }: Prompt, signal: AbortSignal): Promise<Answer> {
    const model = await this.#model(true);
    if (model === undefined) {
      throw new ApprenticeError(
        'judge_unavailable',
        'No language model of this editor may be asked by Apprentice.',
        'Sign in to one, and allow it in the notification of Apprentice.',
      );
    }
    return { text: await ask(model, `${system}\n\n${user}`, signal), model: model.id, ...UNCOUNTED };
  }

  /** When the setting asks for a model and VS Code has not been asked yet: offers its own dialog of consent. */
  async askConsent(): Promise<void> {
    const model = await this.#model(undefined);
    if (model === undefined || (await this.#ready())) return;
    const allow = l10n.t('Allow');
    const chosen = await window.showInformationMessage(
      l10n.t(
        'May Apprentice ask {0} how good an answer was, where nothing else tells? It is then sent the request, the answer and what followed.',
        model.name,
      ),
      allow,
    );
    // VS Code shows its dialog of consent at the first request, which must follow an action of the user.
    if (chosen === allow) await ask(model, 'Answer with the word yes.', AbortSignal.timeout(60_000));
  }

  async #ready(): Promise<boolean> {
    return (await this.#model(true)) !== undefined;
  }

  /** The first model whose permission stands so; undefined also while the setting does not ask for one. */
  async #model(permitted: true | undefined): Promise<LanguageModelChat | undefined> {
    if (judgeSetting() !== 'vscode') return undefined;
    const models = await lm.selectChatModels();
    // The model that is judged is no judge.
    return models.find(
      (model) => model.vendor !== VENDOR && this.#access.canSendRequest(model) === permitted,
    );
  }
}

/** The API gives no usage. */
const UNCOUNTED = { promptTokens: null, completionTokens: null };

async function ask(model: LanguageModelChat, text: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const cancellation = new CancellationTokenSource();
  const cancel = (): void => cancellation.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const messages = [LanguageModelChatMessage.User(text)];
    const response = await model.sendRequest(messages, {}, cancellation.token);
    let answer = '';
    for await (const piece of response.text) {
      answer += piece;
      if (answer.length > MAX_ANSWER_CHARACTERS) break;
    }
    return answer;
  } catch (error) {
    if (!(error instanceof LanguageModelError)) throw error;
    throw new ApprenticeError(
      'judge_unavailable',
      `${model.name}: ${error.message}`,
      'It is asked again later.',
      {
        cause: error,
      },
    );
  } finally {
    signal.removeEventListener('abort', cancel);
    cancellation.dispose();
  }
}
