/** The four loops as a ring of stations: each with its state, what waits in its queue and what it has done. */
import { css, html, LitElement, type TemplateResult } from 'lit';
import type { z } from 'zod';
import type { LoopName, LoopStatus } from '../../agent-server/protocol/panel.ts';
import { number, t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const ORDER: readonly { name: z.infer<typeof LoopName>; title: string; job: string }[] = [
  { name: 'serve', title: t('Serve'), job: t('answers with the newest version') },
  { name: 'environment', title: t('Environment'), job: t('sees what you did with the answer') },
  { name: 'judge', title: t('Judge'), job: t('settles score and hint') },
  { name: 'train', title: t('Train'), job: t('makes the next version') },
];

const STATES: Record<LoopStatus['state'], string> = {
  idle: t('idle'),
  working: t('working'),
  waiting: t('waiting'),
  paused: t('paused'),
  failed: t('failed'),
};

export class LoopDiagram extends LitElement {
  static override properties = { loops: { attribute: false } };
  declare loops: LoopStatus[];

  static override styles = [
    sharedStyles,
    css`
      :host { container-type: inline-size; }
      ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 18px; grid-template-columns: 1fr 1fr; }
      li {
        position: relative; border: 1px solid var(--vscode-panel-border, var(--vscode-widget-border, #8884));
        border-radius: 6px; padding: 8px; min-width: 0; background: var(--vscode-editorWidget-background);
      }
      li[data-state='working'] { border-color: var(--vscode-focusBorder); }
      li[data-state='failed'] { border-color: var(--vscode-charts-red, #e51400); }
      .head { display: flex; align-items: center; gap: 5px; font-weight: 600; }
      .dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--vscode-disabledForeground, #888); }
      [data-state='working'] .dot { background: var(--vscode-charts-green, #388a34); animation: beat 1.2s ease-in-out infinite; }
      [data-state='waiting'] .dot { background: var(--vscode-charts-yellow, #cca700); }
      [data-state='failed'] .dot { background: var(--vscode-charts-red, #e51400); }
      .back { display: none; }
      @keyframes beat { 50% { opacity: 0.35; } }
      .job, .detail { font-size: 0.9em; line-height: 1.35; margin: 2px 0 0; overflow-wrap: anywhere; }
      .counts { margin: 4px 0 0; font-variant-numeric: tabular-nums; font-size: 0.92em; }
      .arrow { position: absolute; color: var(--vscode-descriptionForeground); line-height: 1; font-size: 13px; }
      li:nth-child(1) .arrow { right: -16px; top: calc(50% - 7px); }
      li:nth-child(2) .arrow { bottom: -16px; left: calc(50% - 5px); rotate: 90deg; }
      li:nth-child(3) { order: 4; }
      li:nth-child(4) { order: 3; }
      li:nth-child(3) .arrow { left: -16px; top: calc(50% - 7px); rotate: 180deg; }
      li:nth-child(4) .arrow { top: -16px; left: calc(50% - 5px); rotate: -90deg; }
      @container (min-width: 640px) {
        ol { grid-template-columns: repeat(4, 1fr); }
        li:nth-child(n) { order: 0; }
        li:nth-child(n) .arrow { right: -16px; left: auto; top: calc(50% - 7px); bottom: auto; rotate: 0deg; }
        li:nth-child(4) .arrow { display: none; }
        .back { display: block; position: absolute; right: 8px; top: 8px; }
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<section aria-labelledby="loops-title">
      <h2 id="loops-title">${t('The four loops')}</h2>
      <ol aria-label=${t('Serve feeds environment, environment feeds judge, judge feeds train, train feeds serve')}>
        ${ORDER.map((station) => this.#station(station))}
      </ol>
    </section>`;
  }

  #station({ name, title, job }: (typeof ORDER)[number]): TemplateResult {
    const loop = this.loops.find((each) => each.name === name);
    const state = loop?.state ?? 'idle';
    return html`<li data-state=${state} id="loop-${name}">
      <div class="head"><span class="dot" aria-hidden="true"></span>${title}</div>
      <p class="job muted">${job}</p>
      <p class="counts"><span class="state">${STATES[state]}</span></p>
      <p class="counts">${t('{0} queued, {1} done', number(loop?.queued ?? 0), number(loop?.done ?? 0))}</p>
      ${loop?.detail ? html`<p class="detail muted">${loop.detail}</p>` : ''}
      <span class="arrow" aria-hidden="true">→</span>
      ${name === 'train' ? html`<span class="back muted" aria-hidden="true">${t('back to Serve ↺')}</span>` : ''}
    </li>`;
  }
}
customElements.define('apprentice-loops', LoopDiagram);
