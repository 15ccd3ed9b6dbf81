/** One lesson: what was asked, what the user wants said, and whether it acts. Its words are edited in place. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-checkbox/index.js';
import '@vscode-elements/elements/dist/vscode-textarea/index.js';
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import { MAX_LESSON_CHARS, type PanelLesson } from '../../agent-server/protocol/panel.ts';
import { folderName, shortVersion, subjectTitle, timeAgo } from './format.ts';
import { send } from './host.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';

/** The words being edited; null where the lesson has none of that kind. */
interface Draft {
  rewrite: string | null;
  hint: string | null;
}

export class LessonCard extends LitElement {
  static override properties = {
    lesson: { attribute: false },
    now: { attribute: false },
    draft: { state: true },
  };
  declare lesson: PanelLesson;
  declare now: Date;
  declare draft: Draft | null;

  static override styles = [
    sharedStyles,
    css`
      article { border: 1px solid var(--vscode-panel-border, #8884); border-radius: 6px; padding: 8px 10px; }
      article[data-state='off'] pre, article[data-state='retired'] pre { opacity: 0.65; }
      header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: flex-start; justify-content: space-between; }
      h3 { font-size: 1em; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
      .meta { font-size: 0.92em; }
      pre {
        margin: 6px 0 0; padding: 6px 8px; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 4px;
        background: var(--vscode-textCodeBlock-background); font-family: var(--vscode-editor-font-family);
        font-size: var(--vscode-editor-font-size, 12px); max-height: 12em; overflow-y: auto;
      }
      dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; margin: 6px 0 0; font-size: 0.92em; }
      dt { color: var(--vscode-descriptionForeground); }
      dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
      .asked { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; line-clamp: 3; overflow: hidden; white-space: pre-line; }
      vscode-textarea { width: 100%; margin-top: 6px; }
      .buttons { margin-top: 8px; }
    `,
  ];

  constructor() {
    super();
    this.draft = null;
  }

  override render(): TemplateResult {
    const { lesson } = this;
    return html`<article aria-labelledby="title" data-state=${lesson.state}>
      <header>
        <div>
          <h3 id="title">${subjectTitle(lesson.subject)}</h3>
          <div class="meta muted">
            ${lesson.repository ? html`<span title=${lesson.repository}>${folderName(lesson.repository)}</span> · ` : nothing}${lesson.edited ? html`${t('worded by you')} · ` : nothing}<time
              datetime=${lesson.createdAt}>${timeAgo(lesson.createdAt, this.now)}</time>
          </div>
        </div>
        ${this.#acts()}
      </header>
      <dl>
        <dt>${t('Asked')}</dt>
        <dd class="asked" id="request">${lesson.request}</dd>
      </dl>
      ${this.draft === null ? this.#words() : this.#editor(this.draft)}
    </article>`;
  }

  #acts(): TemplateResult {
    const { lessonId, state, retiredBy } = this.lesson;
    if (state === 'retired')
      return html`<span class="muted" id="state">${retiredBy ? t('learnt by {0}', shortVersion(retiredBy)) : t('learnt by the model')}</span>`;
    const on = state === 'active';
    return html`<vscode-checkbox id="state" label=${t('In use')} .checked=${live(on)}
      @change=${() => send({ type: 'updateLesson', lessonId, state: on ? 'off' : 'active' })}></vscode-checkbox>`;
  }

  #words(): TemplateResult {
    const { lessonId, rewrite, hint } = this.lesson;
    return html`
      ${rewrite === '' ? nothing : html`<pre aria-label=${t('As you want it')} id="rewrite" tabindex="0">${rewrite}</pre>`}
      ${hint === null ? nothing : html`<dl><dt>${t('You said')}</dt><dd id="hint">${hint}</dd></dl>`}
      <div class="row buttons">
        <vscode-button secondary id="edit" @click=${this.#edit}>${t('Edit')}</vscode-button>
        <vscode-button secondary id="delete" @click=${() => send({ type: 'deleteLesson', lessonId })}>${t('Delete')}</vscode-button>
      </div>`;
  }

  #editor(draft: Draft): TemplateResult {
    const empty = (draft.rewrite ?? '').trim() === '' && (draft.hint ?? '').trim() === '';
    return html`
      ${
        draft.rewrite === null
          ? nothing
          : html`<vscode-textarea id="rewrite-input" .label=${t('As you want it')} monospace rows="5" maxlength=${MAX_LESSON_CHARS}
            .value=${draft.rewrite} @input=${(event: Event) => this.#type({ rewrite: textOf(event) })}></vscode-textarea>`
      }
      ${
        draft.hint === null
          ? nothing
          : html`<vscode-textarea id="hint-input" .label=${t('What you said')} rows="2" maxlength=${MAX_LESSON_CHARS}
            .value=${draft.hint} @input=${(event: Event) => this.#type({ hint: textOf(event) })}></vscode-textarea>`
      }
      <div class="row buttons">
        <vscode-button id="save" ?disabled=${empty} @click=${() => this.#save(draft)}>${t('Save')}</vscode-button>
        <vscode-button secondary id="cancel" @click=${this.#close}>${t('Cancel')}</vscode-button>
      </div>`;
  }

  #edit(): void {
    const { rewrite, hint } = this.lesson;
    this.draft = { rewrite: rewrite === '' ? null : rewrite, hint };
  }

  #type(change: Partial<Draft>): void {
    if (this.draft !== null) this.draft = { ...this.draft, ...change };
  }

  #save(draft: Draft): void {
    send({
      type: 'updateLesson',
      lessonId: this.lesson.lessonId,
      ...(draft.rewrite === null ? {} : { rewrite: draft.rewrite }),
      ...(draft.hint === null ? {} : { hint: draft.hint }),
    });
    this.#close();
  }

  #close(): void {
    this.draft = null;
  }
}

function textOf(event: Event): string {
  const { target } = event;
  return target !== null && 'value' in target && typeof target.value === 'string' ? target.value : '';
}
customElements.define('apprentice-lesson', LessonCard);
