/** Asks a connected editor for its judge: `apprentice/judge`, the one request that goes from server to editor. */
import { CancellationTokenSource, type MessageConnection } from 'vscode-jsonrpc/node';
import { until } from '../engine/until.ts';
import type { AskEditor } from '../judge/editor-judge.ts';
import { serverRequests } from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { fromResponseError } from './wire.ts';

/** Over one connection. Throws `aborted`, what the editor says, or `judge_unavailable` when the connection ends. */
export function askOver(connection: MessageConnection): AskEditor {
  const { method, result } = serverRequests.judge;
  return async (prompt, signal) => {
    const cancellation = new CancellationTokenSource();
    const cancel = (): void => cancellation.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    const aborted = (): ApprenticeError => new ApprenticeError('aborted', 'The vote was cancelled.', '');
    try {
      // An editor that does not heed the cancellation is not waited for.
      const answer = await until(connection.sendRequest(method, prompt, cancellation.token), signal, aborted);
      const parsed = result.safeParse(answer);
      if (parsed.success) return { ...parsed.data, costUsd: null };
      throw new ApprenticeError(
        'internal',
        'The editor answered the judge with what is no answer.',
        'Update the extension.',
      );
    } catch (thrown) {
      const error = fromResponseError(thrown);
      if (error.code !== 'worker_unavailable') throw error;
      throw new ApprenticeError('judge_unavailable', 'The editor that judges went away.', 'Open it again.', {
        cause: thrown,
      });
    } finally {
      signal.removeEventListener('abort', cancel);
      cancellation.dispose();
    }
  };
}
