/** Styles that every section shares; all colours are VS Code's theme variables. */
import { css } from 'lit';

export const sharedStyles = css`
  :host { display: block; }
  :host([hidden]) { display: none; }
  h2 {
    font-size: 11px; font-weight: 700; letter-spacing: 0.04em; text-transform: uppercase;
    margin: 0 0 8px; color: var(--vscode-sideBarSectionHeader-foreground, var(--vscode-foreground));
  }
  p { margin: 0 0 8px; line-height: 1.45; }
  .muted { color: var(--vscode-descriptionForeground); }
  .problem {
    border-left: 3px solid var(--vscode-charts-red, #e51400); padding: 8px 10px; margin: 0 0 12px;
    background: var(--vscode-textBlockQuote-background); overflow-wrap: anywhere;
  }
  .problem p:last-child { margin: 0; }
  .loading::before {
    content: ''; display: inline-block; width: 10px; height: 10px; margin-right: 8px; vertical-align: -1px; border-radius: 50%;
    border: 2px solid var(--vscode-progressBar-background, #0078d4); border-right-color: transparent; animation: turn 0.9s linear infinite;
  }
  @keyframes turn { to { rotate: 360deg; } }
  .mono { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size, 12px); }
  .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .visually-hidden {
    position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
    white-space: nowrap;
  }
  .good { color: color-mix(in srgb, var(--vscode-charts-green, #388a34) 85%, var(--vscode-foreground)); }
  .bad { color: color-mix(in srgb, var(--vscode-charts-red, #e51400) 85%, var(--vscode-foreground)); }
  input[type='search'], input[type='date'], select {
    font: inherit; box-sizing: border-box; width: 100%; min-width: 0; padding: 3px 6px; border-radius: 2px;
    color: var(--vscode-input-foreground); background: var(--vscode-input-background);
    border: 1px solid var(--vscode-input-border, var(--vscode-contrastBorder, transparent));
  }
  select {
    color: var(--vscode-dropdown-foreground); background: var(--vscode-dropdown-background);
    border-color: var(--vscode-dropdown-border, var(--vscode-contrastBorder, transparent));
  }
  input::placeholder { color: var(--vscode-input-placeholderForeground); }
  h3 { font-size: 1em; font-weight: 600; margin: 0 0 4px; overflow-wrap: anywhere; }
  pre {
    margin: 0; padding: 6px 8px; border: 1px solid var(--vscode-contrastBorder, transparent); white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 4px;
    background: var(--vscode-textCodeBlock-background); font-family: var(--vscode-editor-font-family);
    font-size: var(--vscode-editor-font-size, 12px);
  }
  :focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
  button.plain {
    font: inherit; color: var(--vscode-foreground); background: transparent; border: 1px solid transparent;
    border-radius: 4px; padding: 3px 5px; cursor: pointer; line-height: 0;
  }
  button.plain:hover { background: var(--vscode-toolbar-hoverBackground); }
  button.plain[aria-pressed='true'] { background: var(--vscode-inputOption-activeBackground); color: var(--vscode-inputOption-activeForeground); }
  @media (prefers-reduced-motion: reduce) { *, *::before { animation: none !important; transition: none !important; } }
`;
