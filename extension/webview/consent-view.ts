/** The first thing a user sees: what learning captures, where it goes, and the choice. */
import { css, html, LitElement, type TemplateResult } from 'lit';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

export class ConsentView extends LitElement {
  static override properties = { home: {} };
  declare home: string;

  static override styles = [
    sharedStyles,
    css`
      section { max-width: 60ch; }
      h2 { font-size: 1.3em; font-weight: 600; margin: 0 0 10px; letter-spacing: 0; text-transform: none; }
      dt { font-weight: 600; margin-top: 10px; }
      dd { margin: 2px 0 0; line-height: 1.45; }
      code { font-family: var(--vscode-editor-font-family); overflow-wrap: anywhere; }
      .row { margin: 16px 0 8px; }
    `,
  ];

  override render(): TemplateResult {
    return html`<section aria-labelledby="consent-title">
      <h2 id="consent-title">${t('May Apprentice learn from you?')}</h2>
      <p>${t(
        'Apprentice writes commit messages with a small model on this machine. When you change one before you commit, it can train that model with your wording, so that the next one is closer to yours.',
      )}</p>
      <dl>
        <dt>${t('What is captured')}</dt>
        <dd>${t(
          'The staged diff you asked about (known kinds of secrets are cut out), what Apprentice proposed, the message and id of the commit that follows, and your thumbs and hints. Of the agent in the chat, and of one that you point at Apprentice: what it reads, runs, asks and is answered, how much of its edits you keep, their lines as you committed them where you had changed them (never with a secret in them), what git does to them, and what is run in the same workspace folder in the half hour after they arrive: commands and tasks with what the terminal shows, test reports, and errors in the lines of the edits; also of their last run before. Nothing else from your files, terminals or other repositories.',
        )}</dd>
        <dt>${t('Where it goes')}</dt>
        <dd>${t('Into this folder. Training happens on this machine too, or on a remote worker once you connect one: then what is asked and trained on goes there as well.')} <code>${this.home}</code></dd>
        <dt>${t('How to stop')}</dt>
        <dd>${t(
          'Pause or turn learning off in this view at any time. Deleting that folder removes everything. In a workspace that you do not trust nothing is captured.',
        )}</dd>
      </dl>
      <div class="row">
        <vscode-button id="consent-on" @click=${() => send({ type: 'setLearning', state: 'on' })}>${t('Turn learning on')}</vscode-button>
        <vscode-button id="consent-off" secondary @click=${() => send({ type: 'setLearning', state: 'off' })}>${t('Not now')}</vscode-button>
      </div>
      <p class="muted">${t('Writing commit messages works either way.')}</p>
    </section>`;
  }
}
customElements.define('apprentice-consent', ConsentView);
