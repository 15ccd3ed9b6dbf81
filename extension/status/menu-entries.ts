/** What the status bar's menu offers, in which state. Pure. Showing it and doing what was chosen is quick-menu.ts. */
import type { LearningState } from '../../agent-server/protocol/editor.ts';
import type { Translate } from '../connect/agents.ts';
import type { RuntimeState } from '../runtime-setup.ts';

export interface MenuState {
  /** Of the model that is set; null: the built-in one. */
  modelName: string | null;
  /** Null: not known yet. */
  version: string | null;
  learning: LearningState | null;
  connection: 'idle' | 'starting' | 'connected' | 'retrying' | 'offline';
  runtime: RuntimeState;
}

export interface MenuEntry {
  action: 'openPanel' | 'write' | 'pause' | 'resume' | 'connectAgent' | 'setUp' | 'retry' | 'showLog';
  /** With its icon. */
  label: string;
  description: string;
}

const BUILT_IN = 'SmolLM2-135M-Instruct';

/** Model, version and state, in one line. */
export function menuTitle(
  { modelName, version, learning, connection, runtime }: MenuState,
  t: Translate,
): string {
  const model = runtime === 'missing' ? t('no model yet') : (modelName ?? BUILT_IN);
  return [model, version, stateText(connection, learning, t)].filter((part) => part !== null).join(' · ');
}

export function menuEntries({ learning, connection, runtime }: MenuState, t: Translate): MenuEntry[] {
  const entries: (MenuEntry | false)[] = [
    (connection === 'offline' || connection === 'retrying') && {
      action: 'retry',
      label: `$(debug-restart) ${t('Try to connect again')}`,
      description: '',
    },
    {
      action: 'openPanel',
      label: `$(graph) ${t('Open Agent improvement')}`,
      description: learning === 'unasked' || learning === null ? t('and say whether it may learn') : '',
    },
    {
      action: 'write',
      label: `$(mortar-board) ${t('Write a commit message')}`,
      description: t('for what is staged'),
    },
    learning === 'on' && {
      action: 'pause',
      label: `$(debug-pause) ${t('Pause learning')}`,
      description: t('nothing is captured until you resume'),
    },
    (learning === 'paused' || learning === 'off') && {
      action: 'resume',
      label: `$(play) ${learning === 'paused' ? t('Resume learning') : t('Turn learning on')}`,
      description: '',
    },
    { action: 'connectAgent', label: `$(plug) ${t('Connect another agent…')}`, description: '' },
    runtime !== 'ready' && {
      action: 'setUp',
      label: `$(cloud-download) ${t('Set up the local model')}`,
      description: runtime === 'installing' ? t('under way') : t('some 1.8 GB'),
    },
    { action: 'showLog', label: `$(output) ${t('Show the log')}`, description: '' },
  ];
  return entries.filter((entry) => entry !== false);
}

function stateText(
  connection: MenuState['connection'],
  learning: LearningState | null,
  t: Translate,
): string {
  if (connection === 'offline' || connection === 'retrying') return t('not connected');
  if (connection === 'starting') return t('connecting');
  switch (learning) {
    case 'on':
      return t('learning is on');
    case 'paused':
      return t('learning is paused');
    case 'off':
      return t('learning is off');
    default:
      return t('learning has not been asked for');
  }
}
