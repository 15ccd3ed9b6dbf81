/** One turn as a row of the list: what became of it, how the answer begins, and whence it is. Drawn by turn-list.ts. */
import { css, html, nothing, type TemplateResult } from 'lit';
import type { PanelTurn } from '../../agent-server/protocol/panel.ts';
import { folderName, OUTCOMES, shortVersion, subjectTitle, TAKEN_FOR, timeAgo } from './format.ts';
import { t } from './l10n.ts';

/** Of the list's arithmetic and of the style below. */
export const ROW_HEIGHT = 50;

/** A sign and a tone for each outcome; the words stand beside it. */
const SIGNS: Record<PanelTurn['outcome'], { sign: string; tone: string }> = {
  pending: { sign: '…', tone: 'muted' },
  accepted: { sign: '✓', tone: 'good' },
  corrected: { sign: '✎', tone: 'bad' },
  thumb_up: { sign: '+', tone: 'good' },
  thumb_down: { sign: '−', tone: 'bad' },
  no_score: { sign: '○', tone: 'muted' },
  side: { sign: '·', tone: 'muted' },
};

export const rowStyles = css`
  button.turn {
    display: grid; grid-template-columns: 18px 1fr; gap: 0 6px; align-content: center; width: 100%; height: 50px; padding: 0 8px;
    font: inherit; text-align: left; color: inherit; background: transparent; border: 0; cursor: pointer;
    border-bottom: 1px solid var(--vscode-panel-border, #8883);
  }
  button.turn:hover { background: var(--vscode-list-hoverBackground); }
  button.turn:focus-visible { outline-offset: -1px; }
  .sign { grid-row: 1 / 3; align-self: center; text-align: center; font-weight: 700; }
  .line { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
  .small { font-size: 0.92em; }
`;

export function turnRow(turn: PanelTurn, now: Date): TemplateResult {
  const { sign, tone } = SIGNS[turn.outcome];
  const outcome = turn.takenFor === 'main' ? OUTCOMES[turn.outcome] : TAKEN_FOR[turn.takenFor];
  const place = turn.repository === null ? subjectTitle(turn.subject) : folderName(turn.repository);
  const learnt =
    turn.learntBy === null ? nothing : html` · ${t('learnt by {0}', shortVersion(turn.learntBy))}`;
  return html`<span class="sign ${tone}" aria-hidden="true">${sign}</span>
    <span class="line">${firstLine(turn.proposal)}</span>
    <span class="line small muted">${outcome} · ${place} · ${shortVersion(turn.version)}${learnt}${turn.excluded ? ` · ${t('left out')}` : ''} · ${timeAgo(turn.createdAt, now)}</span>`;
}

function firstLine(text: string): string {
  const line = text.split('\n').find((each) => each.trim() !== '') ?? '';
  return line.trim() === '' ? t('(no text)') : line;
}
