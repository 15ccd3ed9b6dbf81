/** VS Code's cancellation as the web's. */
import type { CancellationToken } from 'vscode';

/** Aborts with the token; a token lives as long as its request, so that nothing is left to take back. */
export function cancelledBy(token: CancellationToken): AbortSignal {
  const abort = new AbortController();
  if (token.isCancellationRequested) abort.abort();
  else token.onCancellationRequested(() => abort.abort());
  return abort.signal;
}
