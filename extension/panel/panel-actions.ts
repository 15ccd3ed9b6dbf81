/** What the panel shows and what its buttons do, in terms of the extension's parts. */
import { commands, l10n, window, workspace } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { TurnId, WeightVersion } from '../../agent-server/protocol/ids.ts';
import type { ObservationSpool } from '../capture/observation-spool.ts';
import type { AgentServerClient, ConnectionState } from '../client.ts';
import type { Consent } from '../consent.ts';
import type { Thumbs } from '../feedback/thumbs.ts';
import type { RuntimeSetup } from '../runtime-setup.ts';
import { readSettings } from '../settings.ts';
import { exportAdapter, exportData } from './exports.ts';
import type { Measuring } from './measuring.ts';
import type { PanelView } from './messages.ts';
import type { PanelActions } from './panel-host.ts';

/** An adapter that has to be read from the disk first, while the model may be busy. */
const LOADING = { timeoutMs: 60_000 };

export interface PanelParts {
  client: AgentServerClient;
  consent: Consent;
  thumbs: Thumbs;
  runtime: RuntimeSetup;
  spool: ObservationSpool;
  measuring: Measuring;
  setUp(): Promise<void>;
  showError(error: unknown): Promise<void>;
  showLog(): void;
}

export function panelActions(parts: PanelParts): PanelActions {
  const { client, consent, thumbs, runtime, spool, measuring, setUp, showError, showLog } = parts;
  return {
    view: () => ({
      connection: connection(client.state),
      runtime: runtime.state(client.snapshot),
      trusted: workspace.isTrusted,
      home: readSettings().home,
      snapshot: client.snapshot,
      ...measuring.view,
    }),
    shown: () => client.start(),
    answer: async (question, signal) => {
      switch (question.kind) {
        case 'turns': {
          const { query } = question;
          return { kind: 'turns', page: await client.request(editorRequests.turns, query, { signal }) };
        }
        case 'turn': {
          const turnId = TurnId.parse(question.turnId);
          return { kind: 'turn', detail: await client.request(editorRequests.turn, { turnId }, { signal }) };
        }
        case 'answerGroups': {
          const { kind } = question;
          return { kind, answerGroups: await client.request(editorRequests.answerGroups, {}, { signal }) };
        }
        case 'lessons':
          return {
            kind: 'lessons',
            lessons: await client.request(editorRequests.lessons, {}, { signal }),
          };
        case 'comparisons': {
          const { kind } = question;
          const params = { splitAt: null };
          return { kind, comparisons: await client.request(editorRequests.comparisons, params, { signal }) };
        }
        case 'stored':
          return {
            kind: 'stored',
            stored: await client.request(editorRequests.stored, {}, { ...LOADING, signal }),
          };
      }
    },
    act: async (message) => {
      try {
        switch (message.type) {
          case 'setLearning':
            if (message.state === 'off') await spool.clear();
            return await consent.set(message.state);
          case 'label':
            return void (await thumbs.label(message));
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
          case 'excludeTurn': {
            const { turnId, on } = message;
            return void (await client.request(editorRequests.excludeSample, { turnId, on }));
          }
          case 'deleteTurn':
            return await deleteTurn(client, message.turnId);
          case 'serveVersion': {
            const { version } = message;
            return void (await client.request(editorRequests.rollback, { version }, LOADING));
          }
          case 'compare':
            return await measuring.compare();
          case 'stopComparing':
            return measuring.stopComparing();
          case 'sideBySide':
            return await measuring.answerSideBySide(message.request);
          case 'stopSideBySide':
            return measuring.stopSideBySide();
          case 'closeSideBySide':
            return measuring.closeSideBySide();
          case 'forget':
            return await forget(client);
          case 'export':
            return await exportData(client, message.format);
          case 'exportAdapter':
            return await exportAdapter(client, WeightVersion.parse(message.version));
          case 'deleteEverything':
            return await deleteEverything(client);
          case 'setUpRuntime':
            return await setUp();
          case 'connectWorker':
            return void (await commands.executeCommand('apprentice.connectWorker'));
          case 'useLocalWorker':
            return void (await commands.executeCommand('apprentice.useLocalWorker'));
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

async function deleteTurn(client: AgentServerClient, turnId: string): Promise<void> {
  const detail = l10n.t(
    'It goes from the disk for good, with what was said of it and the later turns of its conversation. Versions that learnt from it are marked; "Forget" in the panel trains anew without it.',
  );
  if (await confirmed(l10n.t('Delete this turn?'), detail, l10n.t('Delete')))
    await client.request(editorRequests.deleteTurn, { turnId });
}

async function forget(client: AgentServerClient): Promise<void> {
  const detail = l10n.t(
    'The last version without what you deleted or left out serves again. What later versions had learnt besides is trained anew.',
  );
  if (await confirmed(l10n.t('Forget what was taken back?'), detail, l10n.t('Forget')))
    await client.request(editorRequests.forget, {}, LOADING);
}

async function deleteEverything(client: AgentServerClient): Promise<void> {
  const detail = l10n.t(
    'All turns, what was said of them, lessons and trained versions go from the disk for good; the base model answers again. Settings stay. Exports that you made are yours to delete.',
  );
  const question = l10n.t('Delete everything that Apprentice has stored?');
  if (await confirmed(question, detail, l10n.t('Delete Everything')))
    await client.request(editorRequests.deleteEverything, {}, LOADING);
}

async function confirmed(question: string, detail: string, yes: string): Promise<boolean> {
  return (await window.showWarningMessage(question, { modal: true, detail }, yes)) === yes;
}

function connection(state: ConnectionState): PanelView['connection'] {
  return state.kind === 'idle' || state.kind === 'starting' ? { kind: 'connecting' } : state;
}
