/**
 * The webview's page: one script with a nonce, nothing from the network, no inline code. The texts in the language of
 * VS Code stand in it as data.
 */
import { randomBytes } from 'node:crypto';
import { env, l10n, Uri, type Webview } from 'vscode';

export function panelHtml(webview: Webview, extensionUri: Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const script = webview.asWebviewUri(Uri.joinPath(extensionUri, 'dist', 'webview.js')).toString();
  // Without a bundle the page speaks the English of its code.
  const locale = l10n.bundle === undefined ? 'en' : env.language;
  // As a string of JSON it can hold what would end the element.
  const texts = JSON.stringify({ locale, texts: l10n.bundle ?? {} }).replaceAll('<', '\\u003c');
  // Lit and vscode-elements style through constructed sheets, which no style-src has to allow.
  return `<!DOCTYPE html>
<html lang="${locale}">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; font-src ${webview.cspSource}; base-uri 'none'; form-action 'none'">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${l10n.t('Agent improvement')}</title>
  <style nonce="${nonce}">body { padding: 0; }</style>
</head>
<body>
  <script nonce="${nonce}" type="application/json" id="l10n">${texts}</script>
  <apprentice-panel></apprentice-panel>
  <script nonce="${nonce}" type="module" src="${script}"></script>
</body>
</html>`;
}
