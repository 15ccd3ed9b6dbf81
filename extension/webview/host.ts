/** The webview's line to the extension host: typed wishes out, parsed views in. */
import { FromWebview, type PanelView, ToWebview } from '../panel/messages.ts';

interface VsCodeApi {
  postMessage(message: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const vscode = acquireVsCodeApi();

export function send(message: FromWebview): void {
  vscode.postMessage(FromWebview.parse(message));
}

/** Calls `draw` with every view. What does not parse is reported, never drawn. */
export function onView(draw: (view: PanelView) => void): void {
  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    const message = ToWebview.safeParse(event.data);
    if (message.success) draw(message.data.view);
    else console.error('The host sent a view that does not parse.', message.error.message);
  });
}
