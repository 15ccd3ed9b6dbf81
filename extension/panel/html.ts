/** The webview's page: one script with a nonce, nothing from the network, no inline code. */
import { randomBytes } from 'node:crypto';
import { Uri, type Webview } from 'vscode';

export function panelHtml(webview: Webview, extensionUri: Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const script = webview.asWebviewUri(Uri.joinPath(extensionUri, 'dist', 'webview.js')).toString();
  // Lit and vscode-elements style through constructed sheets, which no style-src has to allow.
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; font-src ${webview.cspSource}; base-uri 'none'; form-action 'none'">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Agent improvement</title>
  <style nonce="${nonce}">body { padding: 0; }</style>
</head>
<body>
  <apprentice-panel></apprentice-panel>
  <script nonce="${nonce}" type="module" src="${script}"></script>
</body>
</html>`;
}
