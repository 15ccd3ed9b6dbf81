/** What the panel shows and what its buttons do, in terms of the extension's parts. */
import { commands, workspace } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import type { ObservationSpool } from '../capture/observation-spool.ts';
import type { AgentServerClient, ConnectionState } from '../client.ts';
import type { Consent } from '../consent.ts';
import type { Thumbs } from '../feedback/thumbs.ts';
import type { RuntimeSetup } from '../runtime-setup.ts';
import { readSettings } from '../settings.ts';
import type { PanelView } from './messages.ts';
import type { PanelActions } from './panel-host.ts';

export interface PanelParts {
  client: AgentServerClient;
  consent: Consent;
  thumbs: Thumbs;
  runtime: RuntimeSetup;
  spool: ObservationSpool;
  setUp(): Promise<void>;
  showError(error: unknown): Promise<void>;
  showLog(): void;
}

export function panelActions(parts: PanelParts): PanelActions {
  const { client, consent, thumbs, runtime, spool, setUp, showError, showLog } = parts;
  return {
    view: () => ({
      connection: connection(client.state),
      runtime: runtime.state(client.snapshot?.worker ?? null),
      trusted: workspace.isTrusted,
      home: readSettings().home,
      snapshot: client.snapshot,
    }),
    shown: () => client.start(),
    act: async (message) => {
      try {
        switch (message.type) {
          case 'setLearning':
            if (message.state === 'off') await spool.clear();
            return await consent.set(message.state);
          case 'thumb':
            return await thumbs.rate(message.turnId, message.value);
          case 'updateLesson': {
            const { lessonId, rewrite, hint, state } = message;
            return void (await client.request(editorRequests.updateLesson, {
              lessonId,
              rewrite,
              hint,
              state,
            }));
          }
          case 'deleteLesson':
            return void (await client.request(editorRequests.deleteLesson, { lessonId: message.lessonId }));
          case 'setUpRuntime':
            return await setUp();
          case 'retry':
            return client.start();
          case 'copyGatewayUrl':
            return void (await commands.executeCommand('apprentice.copyGatewayUrl'));
          case 'copyGatewayKey':
            return void (await commands.executeCommand('apprentice.copyGatewayKey'));
          case 'showLog':
            return showLog();
          case 'manageTrust':
            return void (await commands.executeCommand('workbench.trust.manage'));
        }
      } catch (error) {
        await showError(error);
      }
    },
  };
}

function connection(state: ConnectionState): PanelView['connection'] {
  return state.kind === 'idle' || state.kind === 'starting' ? { kind: 'connecting' } : state;
}
