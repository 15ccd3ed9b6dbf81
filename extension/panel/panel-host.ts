/**
 * The host side of "Agent improvement": in the side bar and, for more room, as an editor tab. It passes views
 * in and wishes out; what a wish does is decided by the actions it is given.
 */
import {
  type Disposable,
  type ExtensionContext,
  l10n,
  Uri,
  ViewColumn,
  type Webview,
  type WebviewPanel,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from 'vscode';
import type { z } from 'zod';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Log } from '../log.ts';
import { panelHtml } from './html.ts';
import { type Answer, FromWebview, type PanelView, type Question, type ToWebview } from './messages.ts';

const EDITOR_TYPE = 'apprentice.panelEditor';

export interface PanelActions {
  view(): PanelView;
  /** The panel has come into sight: now there is a reason to connect. */
  shown(): void;
  act(message: Exclude<FromWebview, { type: 'ready' | 'ask' | 'openInEditor' }>): Promise<void>;
  /** Throws what the agent-server throws, `aborted` when the page that asked is gone. */
  answer(question: Question, signal: AbortSignal): Promise<Answer>;
}

export class PanelHost implements WebviewViewProvider, Disposable {
  readonly #webviews = new Set<Webview>();
  #editor: WebviewPanel | null = null;
  readonly #context: ExtensionContext;
  readonly #actions: PanelActions;
  readonly #log: Log;

  constructor(context: ExtensionContext, actions: PanelActions, log: Log) {
    this.#context = context;
    this.#actions = actions;
    this.#log = log;
  }

  resolveWebviewView(view: WebviewView): void {
    view.title = l10n.t('Agent improvement');
    const detach = this.#attach(view.webview);
    const visibility = view.onDidChangeVisibility(() => view.visible && this.#actions.shown());
    view.onDidDispose(() => {
      detach();
      visibility.dispose();
    });
  }

  openInEditor(): void {
    if (this.#editor !== null) {
      this.#editor.reveal();
      return;
    }
    const editor = window.createWebviewPanel(EDITOR_TYPE, l10n.t('Agent improvement'), ViewColumn.Active);
    editor.iconPath = Uri.joinPath(this.#context.extensionUri, 'media', 'icon.png');
    const detach = this.#attach(editor.webview);
    this.#editor = editor;
    editor.onDidDispose(() => {
      detach();
      this.#editor = null;
    });
  }

  /** Draws the current view wherever the panel is open. */
  render(): void {
    for (const webview of this.#webviews) this.#send(webview);
  }

  dispose(): void {
    this.#editor?.dispose();
  }

  #attach(webview: Webview): () => void {
    webview.options = {
      enableScripts: true,
      localResourceRoots: [Uri.joinPath(this.#context.extensionUri, 'dist')],
    };
    const closed = new AbortController();
    const messages = webview.onDidReceiveMessage((raw: unknown) =>
      this.#receive(webview, raw, closed.signal),
    );
    webview.html = panelHtml(webview, this.#context.extensionUri);
    this.#webviews.add(webview);
    this.#actions.shown();
    return () => {
      this.#webviews.delete(webview);
      closed.abort();
      messages.dispose();
    };
  }

  #receive(webview: Webview, raw: unknown, closed: AbortSignal): void {
    const message = FromWebview.safeParse(raw);
    if (!message.success) {
      this.#log.error(`The panel sent what does not parse: ${message.error.message}`);
      return;
    }
    if (message.data.type === 'ready') this.#send(webview);
    else if (message.data.type === 'ask')
      void this.#answer(webview, message.data.id, message.data.question, closed);
    else if (message.data.type === 'openInEditor') this.openInEditor();
    else void this.#actions.act(message.data);
  }

  #send(webview: Webview): void {
    post(webview, { type: 'view', view: this.#actions.view() });
  }

  async #answer(webview: Webview, id: number, question: Question, closed: AbortSignal): Promise<void> {
    try {
      const answer = await this.#actions.answer(question, closed);
      if (!closed.aborted) post(webview, { type: 'answer', id, answer });
    } catch (error) {
      if (closed.aborted) return;
      const { message, remedy } = toApprenticeError(error);
      post(webview, { type: 'failure', id, message: `${message} ${remedy}`.trim() });
    }
  }
}

function post(webview: Webview, message: z.input<typeof ToWebview>): void {
  void webview.postMessage(message);
}
