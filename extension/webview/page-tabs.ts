/** Tabs and the panel under them, by the keyboard rules of the ARIA practices: arrows, Home and End move and open. */
import { css, html, LitElement, type TemplateResult } from 'lit';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

export interface Tab {
  id: string;
  title: string;
}

export class PageTabs extends LitElement {
  static override properties = { tabs: { attribute: false }, selected: {} };
  declare tabs: readonly Tab[];
  declare selected: string;

  static override styles = [
    sharedStyles,
    css`
      :host { container-type: inline-size; }
      [role='tablist'] {
        display: flex; flex-wrap: wrap; gap: 0 4px; margin: 0 0 16px;
        border-bottom: 1px solid var(--vscode-panel-border, var(--vscode-contrastBorder, #8884));
      }
      [role='tab'] {
        font: inherit; color: var(--vscode-panelTitle-inactiveForeground, var(--vscode-foreground)); background: transparent;
        border: 0; border-bottom: 2px solid transparent; margin-bottom: -1px; padding: 6px 8px; cursor: pointer;
      }
      @container (max-width: 340px) { [role='tab'] { padding: 6px 3px; font-size: 0.9em; } [role='tablist'] { gap: 0; justify-content: space-between; } }
      [role='tab'][aria-selected='true'] {
        color: var(--vscode-panelTitle-activeForeground, var(--vscode-foreground)); font-weight: 600;
        border-bottom-color: var(--vscode-panelTitle-activeBorder, var(--vscode-focusBorder));
      }
      [role='tab']:hover { color: var(--vscode-panelTitle-activeForeground, var(--vscode-foreground)); }
    `,
  ];

  override render(): TemplateResult {
    return html`<div role="tablist" aria-label=${t('Pages')} @keydown=${this.#key}>
        ${this.tabs.map(({ id, title }) => {
          const on = id === this.selected;
          return html`<button role="tab" id="tab-${id}" aria-selected=${on} aria-controls="page" tabindex=${on ? 0 : -1}
            @click=${() => this.#select(id)}>${title}</button>`;
        })}
      </div>
      <div role="tabpanel" id="page" aria-labelledby="tab-${this.selected}"><slot></slot></div>`;
  }

  #key(event: KeyboardEvent): void {
    const at = this.tabs.findIndex(({ id }) => id === this.selected);
    const last = this.tabs.length - 1;
    const to = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key];
    const tab = to === undefined ? undefined : this.tabs[to];
    if (tab === undefined) return;
    event.preventDefault();
    this.#select(tab.id);
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>(`#tab-${tab.id}`)?.focus(),
    );
  }

  #select(id: string): void {
    this.dispatchEvent(new CustomEvent<string>('select', { detail: id }));
  }
}
customElements.define('apprentice-tabs', PageTabs);
