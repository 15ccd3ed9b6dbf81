/** The panel: chooses between consent, waiting and the pages. A new section is one file and one line here. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import type { PanelView } from '../panel/messages.ts';
import './being-learnt.ts';
import './consent-view.ts';
import './curve-page.ts';
import './data-page.ts';
import './gateway-section.ts';
import { keep, kept, onView, type Page, send } from './host.ts';
import './lesson-list.ts';
import './loop-diagram.ts';
import './notices.ts';
import './page-tabs.ts';
import './serving-section.ts';
import './side-by-side.ts';
import { sharedStyles } from './styles.ts';
import { TurnsPage } from './turns-page.ts';
import './version-lineage.ts';
import './version-list.ts';
import { t } from './l10n.ts';
import './worker-section.ts';

const TABS: readonly { id: Page; title: string }[] = [
  { id: 'now', title: t('Now') },
  { id: 'curve', title: t('Curve') },
  { id: 'turns', title: t('Turns') },
  { id: 'lessons', title: t('Lessons') },
  { id: 'versions', title: t('Versions') },
  { id: 'data', title: t('Data') },
];

/** "3 minutes ago" has to go on counting while nothing else happens. */
const CLOCK_MS = 30_000;

export class ApprenticePanel extends LitElement {
  static override properties = { view: { state: true }, now: { state: true }, page: { state: true } };
  declare view: PanelView | null;
  declare now: Date;
  declare page: Page;
  #clock: number | undefined;

  static override styles = [
    sharedStyles,
    css`
      :host { color: var(--vscode-foreground); font: var(--vscode-font-weight) var(--vscode-font-size) var(--vscode-font-family); }
      main { padding: 12px 16px 32px; max-width: 1080px; margin: 0 auto; min-width: 0; }
      apprentice-tabs > * + * { margin-top: 24px; }
    `,
  ];

  constructor() {
    super();
    this.view = null;
    this.now = new Date();
    this.page = kept().page;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    onView((view) => {
      this.view = view;
      this.now = new Date();
    });
    this.#clock = window.setInterval(() => {
      this.now = new Date();
    }, CLOCK_MS);
    send({ type: 'ready' });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearInterval(this.#clock);
  }

  override render(): TemplateResult {
    const { view } = this;
    if (view === null)
      return html`<main aria-busy="true"><p class="muted loading">${t('Loading…')}</p></main>`;
    return html`<main aria-label=${t('Agent improvement')}>
      <h1 class="visually-hidden">${t('Agent improvement')}</h1>
      <apprentice-notices .view=${view}></apprentice-notices>
      ${this.#body(view)}
    </main>`;
  }

  #body(view: PanelView): TemplateResult {
    const { snapshot, connection } = view;
    if (snapshot === null) {
      return connection.kind === 'offline'
        ? html`<p class="muted">${t('Nothing can be shown while the agent-server is away.')}</p>`
        : html`<p class="muted loading" role="status">${t('Connecting to the agent-server…')}</p>`;
    }
    if (snapshot.learning === 'unasked')
      return html`<apprentice-consent .home=${view.home}></apprentice-consent>`;
    return html`${
      connection.kind === 'connected'
        ? nothing
        : html`<p class="muted">${t('What follows is how it was when last connected.')}</p>`
    }
    <apprentice-tabs .tabs=${TABS} .selected=${this.page} @select=${(event: CustomEvent<Page>) => this.#show(event.detail)}>
      ${this.#page(snapshot, view)}
    </apprentice-tabs>`;
  }

  #page(snapshot: PanelSnapshot, { comparing, sideBySide }: PanelView): TemplateResult {
    const { versions, serving, at } = snapshot;
    switch (this.page) {
      case 'now':
        return html`<apprentice-serving .snapshot=${snapshot}></apprentice-serving>
          <apprentice-loops .loops=${snapshot.loops}></apprentice-loops>
          <apprentice-being-learnt .snapshot=${snapshot} @open=${(event: CustomEvent<string>) => this.#open(event.detail)}></apprentice-being-learnt>
          <apprentice-worker .snapshot=${snapshot}></apprentice-worker>
          <apprentice-gateway .url=${snapshot.gateway.url}></apprentice-gateway>`;
      case 'curve':
        return html`<apprentice-curve-page .points=${snapshot.curve} .comparing=${comparing} .changedAt=${at} .now=${this.now}></apprentice-curve-page>`;
      case 'turns':
        return html`<apprentice-turns .versions=${versions} .now=${this.now} .changedAt=${at}></apprentice-turns>`;
      case 'lessons':
        return html`<apprentice-lessons .lessons=${snapshot.lessons} .changedAt=${at} .now=${this.now}></apprentice-lessons>`;
      case 'versions':
        return html`<apprentice-lineage .versions=${versions} .serving=${serving} .now=${this.now}></apprentice-lineage>
          <apprentice-versions .versions=${versions} .serving=${serving} .now=${this.now}></apprentice-versions>
          <apprentice-side-by-side .versions=${versions} .serving=${serving} .shown=${sideBySide}></apprentice-side-by-side>`;
      case 'data':
        return html`<apprentice-data .changedAt=${at}></apprentice-data>`;
    }
  }

  /** A turn, on its page. */
  #open(turnId: string): void {
    keep({ turnId });
    this.#show('turns');
    void this.updateComplete.then(() => {
      const page = this.renderRoot.querySelector('apprentice-turns');
      return page instanceof TurnsPage ? page.focusTurn() : undefined;
    });
  }

  #show(page: Page): void {
    keep({ page });
    this.page = page;
    window.scrollTo(0, 0);
  }
}
customElements.define('apprentice-panel', ApprenticePanel);
