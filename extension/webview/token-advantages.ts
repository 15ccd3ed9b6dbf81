/**
 * A text with what a training step was told of each of its tokens: colour, sign and underline say the same, so that
 * none of them is needed alone; the token that has the focus is told in words.
 */
import { css, html, LitElement, nothing, type TemplateResult } from 'lit';
import type { AdvantageRow, TokenAdvantage } from '../../agent-server/protocol/turns.ts';
import { t } from './l10n.ts';
import { sharedStyles } from './styles.ts';
import { pushOf, type Shade, shadesOf, signedNumber, visibleToken } from './token-shades.ts';

const TITLES = {
  response: t('The answer itself'),
  demonstration: t('What you wrote instead, as a demonstration'),
} as const;
/** The strongest are told in a table; the rest by moving through the text. */
const TOLD = 5;

export class TokenAdvantages extends LitElement {
  static override properties = { row: { attribute: false }, chosen: { state: true } };
  declare row: AdvantageRow;
  declare chosen: number;

  static override styles = [
    sharedStyles,
    css`
      :host { margin-bottom: 12px; }
      .text {
        padding: 6px 8px; border: 1px solid var(--vscode-contrastBorder, transparent); border-radius: 4px; line-height: 1.9; white-space: pre-wrap; overflow-wrap: anywhere; cursor: default;
        background: var(--vscode-textCodeBlock-background); font-family: var(--vscode-editor-font-family);
        font-size: var(--vscode-editor-font-size, 12px); max-height: 24em; overflow-y: auto;
      }
      .token { border-bottom: 0 solid transparent; border-radius: 2px; }
      .up { border-bottom-color: var(--vscode-charts-green, #388a34); background: var(--vscode-diffEditor-insertedTextBackground, transparent); }
      .down { border-bottom-color: var(--vscode-charts-red, #e51400); background: var(--vscode-diffEditor-removedTextBackground, transparent); border-bottom-style: dashed; }
      .level1 { border-bottom-width: 1px; } .level2 { border-bottom-width: 2px; }
      .level3 { border-bottom-width: 3px; } .level4 { border-bottom-width: 4px; }
      .sign { font-size: 0.75em; font-weight: 700; vertical-align: super; }
      .up .sign { color: var(--vscode-charts-green, #388a34); } .down .sign { color: var(--vscode-charts-red, #e51400); }
      .text:focus .chosen, .text:hover .chosen { outline: 1px solid var(--vscode-focusBorder); }
      table { border-collapse: collapse; margin-top: 6px; }
      th { text-align: left; font-weight: 600; }
      th, td { padding: 2px 12px 2px 0; font-variant-numeric: tabular-nums; }
      td { border-top: 1px solid var(--vscode-panel-border, #8883); }
      .told { margin: 6px 0 0; min-height: 1.4em; }
    `,
  ];

  constructor() {
    super();
    this.chosen = 0;
  }

  override render(): TemplateResult {
    const { tokens, role } = this.row;
    const shades = shadesOf(tokens);
    const chosen = tokens[this.chosen];
    return html`<h3 id="role">${TITLES[role]}</h3>
      <div class="text" tabindex="0" role="application" aria-labelledby="role" aria-describedby="how told" @keydown=${this.#key}>${tokens.map(
        (token, index) => this.#token(token, shades[index] ?? { sign: 0, level: 0 }, index),
      )}</div>
      <p class="visually-hidden" id="how">${t('Left and right arrows move from token to token.')}</p>
      <p class="told muted" id="told" aria-live="polite">${chosen === undefined ? nothing : told(chosen)}</p>
      ${this.#strongest(tokens)}`;
  }

  #token(token: TokenAdvantage, { sign, level }: Shade, index: number): TemplateResult {
    const direction = sign > 0 ? 'up' : sign < 0 ? 'down' : 'none';
    const mark = sign === 0 ? nothing : html`<span class="sign">${sign > 0 ? '+' : '−'}</span>`;
    // A line break is drawn as a sign and as itself.
    const text = token.text.includes('\n') ? `${visibleToken(token.text)}\n` : token.text;
    return html`<span class="token ${direction} level${level} ${index === this.chosen ? 'chosen' : ''}" data-sign=${sign} title=${told(token)}
      @click=${() => this.#choose(index)}>${mark}${text}</span>`;
  }

  #strongest(tokens: readonly TokenAdvantage[]): TemplateResult | typeof nothing {
    const strongest = tokens.filter((token) => token.advantage !== null && pushOf(token) !== 0);
    if (strongest.length === 0) return nothing;
    const first = strongest.toSorted((a, b) => Math.abs(pushOf(b)) - Math.abs(pushOf(a))).slice(0, TOLD);
    return html`<table>
      <thead><tr><th scope="col">${t('Strongest')}</th><th scope="col">${t('Advantage')}</th><th scope="col">${t('Best other token')}</th></tr></thead>
      <tbody>${first.map(
        (token) => html`<tr><td class="mono">${quoted(token.text)}</td><td>${signedNumber(pushOf(token))}</td>
          <td class="mono">${token.alternative === null ? '–' : `${quoted(token.alternative.text)} ${signedNumber(token.alternative.advantage)}`}</td></tr>`,
      )}</tbody>
    </table>`;
  }

  #key(event: KeyboardEvent): void {
    const last = this.row.tokens.length - 1;
    const to = { ArrowRight: this.chosen + 1, ArrowLeft: this.chosen - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#choose(Math.max(0, Math.min(last, to)));
  }

  #choose(index: number): void {
    this.chosen = index;
  }
}

function told({ text, advantage, weight, alternative }: TokenAdvantage): string {
  const own =
    weight > 0
      ? t('made likelier, weight {0}', signedNumber(weight))
      : advantage === null
        ? t('not pushed itself')
        : t('advantage {0}', signedNumber(advantage));
  const other =
    alternative === null
      ? ''
      : `; ${t('best other {0} {1}', quoted(alternative.text), signedNumber(alternative.advantage))}`;
  return `${quoted(text)}: ${own}${other}`;
}

function quoted(text: string): string {
  return `“${visibleToken(text)}”`;
}
customElements.define('apprentice-tokens', TokenAdvantages);
