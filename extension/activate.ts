/**
 * Activation: registers what VS Code must know of, and nothing else. The window's parts (main.ts, a bundle of its own) are
 * loaded when one of these is first used, or behind the start of a window in which learning was ever answered.
 */
import {
  type CancellationToken,
  chat,
  commands,
  EventEmitter,
  type ExtensionContext,
  type LanguageModelChatProvider,
  lm,
  window,
} from 'vscode';
import { lastLearningState } from './consent-memory.ts';
import { messageOf } from './log.ts';
import type { WindowParts } from './main.ts';
import { type Manifest, PANEL_VIEW_ID, PARTICIPANT_ID, VENDOR } from './manifest.ts';
import { StatusBar } from './status/status-bar.ts';

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('Apprentice', { log: true });
  const statusBar = new StatusBar();
  const modelsChanged = new EventEmitter<void>();
  let loaded: Promise<WindowParts> | null = null;
  const load = async (): Promise<WindowParts> => {
    const startedMs = performance.now();
    const { makeParts } = await import('./main.ts');
    const parts = makeParts(context, { log, statusBar, modelsChanged });
    log.debug(`The window's parts were loaded in ${Math.round(performance.now() - startedMs)} ms.`);
    return parts;
  };
  const parts = (): Promise<WindowParts> => {
    loaded ??= load();
    return loaded;
  };

  const models: LanguageModelChatProvider = {
    onDidChangeLanguageModelChatInformation: modelsChanged.event,
    // Asking for a list starts nothing, and without parts there is no connection to have a model over.
    provideLanguageModelChatInformation: async (options, token: CancellationToken) =>
      (await loaded)?.models.provideLanguageModelChatInformation(options, token) ?? [],
    provideLanguageModelChatResponse: async (...asked) =>
      (await parts()).models.provideLanguageModelChatResponse(...asked),
    provideTokenCount: async (...asked) => (await parts()).models.provideTokenCount(...asked),
  };
  const participant = chat.createChatParticipant(PARTICIPANT_ID, async (...asked) =>
    (await parts()).chat.answer(...asked),
  );
  const manifest: Manifest = context.extension.packageJSON;
  context.subscriptions.push(
    log,
    statusBar,
    modelsChanged,
    participant,
    participant.onDidReceiveFeedback(async (feedback) => (await parts()).chat.rated(feedback)),
    lm.registerLanguageModelChatProvider(VENDOR, models),
    window.registerWebviewViewProvider(PANEL_VIEW_ID, {
      resolveWebviewView: async (...view) => (await parts()).panel.resolveWebviewView(...view),
    }),
    ...manifest.contributes.commands.map(({ command }) =>
      commands.registerCommand(command, async (...args: unknown[]) =>
        (await parts()).commandHandlers[command]?.(...args),
      ),
    ),
  );
  if (lastLearningState(context.globalState) === 'unasked') return;
  // Other extensions start now as well; none of them has to wait for this one's parts.
  setImmediate(
    () =>
      void parts().then(
        ({ connect }) => connect(),
        (error: unknown) => log.error(`Apprentice could not be loaded: ${messageOf(error)}`),
      ),
  );
}
