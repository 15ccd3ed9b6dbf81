/** Where the model computes: this machine or another, how engine and trainer are, and the way to the other place. */
import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { ProcessState } from '../../agent-server/protocol/link.ts';
import type { PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

const WORDS: Record<ProcessState['state'], string> = {
  starting: t('loading'),
  ready: t('ready'),
  busy: t('at work'),
  restarting: t('restarting'),
  failed: t('failed'),
};

export class WorkerSection extends LitElement {
  static override properties = { snapshot: { attribute: false } };
  declare snapshot: PanelSnapshot;
  static override styles = [sharedStyles];

  override render(): TemplateResult {
    const { workerPlace, worker } = this.snapshot;
    const remote = workerPlace.kind === 'remote';
    return html`<section aria-labelledby="worker-title">
      <h2 id="worker-title">${t('Worker')}</h2>
      <p id="worker-place" role="status">
        ${remote ? html`${t('Remote:')} <code>${workerPlace.url}</code>` : t('This machine')}
        <span class="muted">· ${worker === null ? t('not connected') : states(worker)}</span>
        ${remote && workerPlace.baseModel !== null ? html`<span class="muted">· ${workerPlace.baseModel}</span>` : nothing}
      </p>
      ${remote && workerPlace.error !== null ? html`<p id="worker-error">${workerPlace.error}</p>` : nothing}
      <div class="row">
        <vscode-button id="connect-worker" secondary @click=${() => send({ type: 'connectWorker' })}>
          ${remote ? t('Connect another worker…') : t('Connect remote worker…')}
        </vscode-button>
        ${
          remote
            ? html`<vscode-button id="local-worker" secondary @click=${() => send({ type: 'useLocalWorker' })}>
                ${t('Use this machine')}
              </vscode-button>`
            : nothing
        }
      </div>
    </section>`;
  }
}
customElements.define('apprentice-worker', WorkerSection);

function states({ engine, trainer }: NonNullable<PanelSnapshot['worker']>): string {
  return t('engine {0}, trainer {1}', WORDS[engine.state], WORDS[trainer.state]);
}
