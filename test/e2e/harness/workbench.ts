/** What a user does in VS Code's window, in the words of a test: views, buttons, the input box, the terminal. */
import { join } from 'node:path';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const READY_LIMIT_MS = 90_000;
/** Of the palette: open, with the command in its list, or closed by what took the focus. */
const PALETTE = { limitMs: 6_000, attempts: 4 };
/** In which a file dialog has looked at its folder. */
const DIALOG_STEP_MS = 4_000;

export class Workbench {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(15_000);
  }

  /** Resolves when the window is drawn; a question about trust may still lie on top. */
  async ready(): Promise<void> {
    await this.page.locator('.monaco-workbench .part.activitybar').waitFor({ timeout: READY_LIMIT_MS });
  }

  /** Answers VS Code's own question about the folder as a user does. */
  async answerTrust(answer: 'trust' | 'restrict'): Promise<void> {
    await this.answerDialog(answer === 'trust' ? /Yes, I trust/ : /No, I don't trust/);
  }

  /** Runs a command by its title, through the command palette. */
  async runCommand(title: string): Promise<void> {
    const palette = this.page.locator('.quick-input-widget');
    const option = palette.getByRole('option', { name: new RegExp(`^${title}`) }).first();
    // What opens at that moment (an editor, a page of the walkthrough) takes the focus, and the palette closes.
    for (let attempt = 1; ; attempt++) {
      await this.page.keyboard.press('F1');
      try {
        await palette.locator('input').first().fill(`>${title}`, { timeout: PALETTE.limitMs });
        await option.click({ timeout: PALETTE.limitMs });
        return;
      } catch (error) {
        if (attempt === PALETTE.attempts) throw error;
      }
    }
  }

  /** Chooses from the list that a command shows. */
  async pick(label: string): Promise<void> {
    await this.page.locator('.quick-input-widget').getByRole('option', { name: label }).click();
  }

  /** Answers an input box with this title; '' leaves it empty. */
  async answerInput(title: string, text: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget').filter({ hasText: title });
    await box.locator('input').first().fill(text);
    await this.page.keyboard.press('Enter');
    await box.waitFor({ state: 'hidden' });
  }

  /** Chooses a colour theme by its name. */
  async chooseTheme(name: string): Promise<void> {
    await this.runCommand('Preferences: Color Theme');
    const list = this.page.locator('.quick-input-widget');
    await list.locator('input').first().fill(name);
    await list.getByRole('option', { name }).first().waitFor();
    await this.page.keyboard.press('Enter');
    await list.waitFor({ state: 'hidden' });
  }

  /** Links above the lines of an editor. */
  lens(name: string): Locator {
    return this.page.locator('.codelens-decoration a').filter({ hasText: new RegExp(`^\\s*${name}$`) });
  }

  async openSourceControl(): Promise<void> {
    const tab = this.page.locator('.part.activitybar').getByRole('tab', { name: /^Source Control/ });
    if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click();
    await this.commitInput().waitFor({ timeout: READY_LIMIT_MS });
    // VS Code shows a view's buttons only under the pointer or with the focus inside.
    await this.page.locator('.part.sidebar .pane-header').first().hover();
  }

  async openAgentImprovement(): Promise<void> {
    const tab = this.page.locator('.part.activitybar').getByRole('tab', { name: /^Agent improvement/ });
    if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click();
  }

  /** Opens a page of "Agent improvement", wherever that is open. It may have to find the agent-server first. */
  async openPage(title: 'Now' | 'Curve' | 'Turns' | 'Lessons' | 'Versions' | 'Data'): Promise<void> {
    await this.webview().getByRole('tab', { name: title }).click({ timeout: READY_LIMIT_MS });
  }

  /** Opens the n-th newest turn that is listed on the page of turns, and gives its card. */
  async openTurn(n: number): Promise<Locator> {
    await this.webview().locator(`apprentice-turn-list button[data-index='${n}']`).click();
    return this.webview().locator('apprentice-turn');
  }

  /** A button anywhere in the window by the name that a screen reader reads. */
  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name });
  }

  commitInput(): Locator {
    return this.page.locator('.scm-editor .monaco-editor').first();
  }

  /** The text a user sees in the commit message box; wrapped lines are joined. */
  async commitMessage(): Promise<string> {
    // Long lines are broken after a space.
    return (await drawnText(this.commitInput())).replace(/ \n/g, ' ').trim();
  }

  /** The lines of the active editor that are in sight. */
  editorText(): Promise<string> {
    return drawnText(this.page.locator('.editor-group-container.active .editor-instance .monaco-editor'));
  }

  /** Waits until the text in the box is as wanted. */
  async commitMessageIs(wanted: (text: string) => boolean, limitMs: number): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const text = await this.commitMessage();
      if (wanted(text)) return;
      if (performance.now() > deadlineMs) throw new Error(`The commit message box stays "${text}".`);
      // The next frame that the window draws: its text cannot change between two.
      await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(drawn)));
    }
  }

  /** A button in the title of the Source Control view. */
  commitAction(name: string): Locator {
    return this.page.locator('.part.sidebar').getByRole('button', { name });
  }

  async pressCommitAction(name: string): Promise<void> {
    await this.page.locator('.part.sidebar .pane-header').first().hover();
    await this.commitAction(name).click();
  }

  /** A notification with this text. */
  notice(text: RegExp): Locator {
    return this.page.locator('.notifications-toasts').getByText(text).first();
  }

  /** Presses a button of VS Code's own modal dialog. */
  async answerDialog(name: string | RegExp): Promise<void> {
    const button = this.page.getByRole('dialog').getByRole('button', { name });
    await button.waitFor({ timeout: READY_LIMIT_MS });
    const dialog = await this.page.getByRole('dialog').elementHandle();
    await button.click();
    // This one and not any: another question may follow at once.
    await dialog?.waitForElementState('hidden');
  }

  /** Puts the cursor into the commit message box. */
  async #enterCommitMessage(): Promise<void> {
    // The tooltip of a button that the pointer still rests on may lie over the box.
    const { width, height } = this.page.viewportSize() ?? { width: 1024, height: 768 };
    await this.page.mouse.move(width / 2, height / 2);
    await this.page.locator('.context-view .hover-contents').first().waitFor({ state: 'hidden' });
    await this.commitInput().click();
    // A key that is pressed before the box has the focus goes elsewhere.
    await this.page.locator('.scm-editor .monaco-editor.focused').waitFor();
  }

  /** Replaces what stands in the commit message box. */
  async typeCommitMessage(text: string): Promise<void> {
    await this.#enterCommitMessage();
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.insertText(text);
  }

  /** Commits what is staged, as Ctrl+Enter in the box does. */
  async commit(): Promise<void> {
    // Before VS Code has seen what is staged it finds nothing to commit.
    await this.page.locator('.part.sidebar').getByText('Staged Changes').first().waitFor();
    await this.#enterCommitMessage();
    await this.page.keyboard.press('ControlOrMeta+Enter');
  }

  /** Takes the path that VS Code's simple file dialog proposes, once it ends with `ending`. */
  async takeProposedPath(ending: string): Promise<void> {
    await this.page.waitForFunction(
      (end) =>
        document.querySelector<HTMLInputElement>('.quick-input-widget input')?.value.endsWith(end) === true,
      ending,
    );
    const dialog = this.page.locator('.quick-input-widget');
    // While it is still looking at the folder an Enter is not heard.
    for (let left = 4; left >= 0; left -= 1) {
      await dialog.locator('input').first().press('Enter');
      const closed = dialog.waitFor({ state: 'hidden', timeout: DIALOG_STEP_MS });
      if (left === 0) await closed;
      else if (
        await closed.then(
          () => true,
          () => false,
        )
      )
        return;
    }
  }

  /** Opens a file of the workspace, at a line: `src/a.ts:3`. */
  async openFile(name: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget input').first();
    const file = name.replace(/^.*\//, '').replace(/:\d+$/, '');
    // The list may still show what was found before; a window that was just opened has not looked at its folders yet.
    const found = this.page.locator('.quick-input-list .monaco-list-row.focused').filter({ hasText: file });
    for (let attempt = 1; ; attempt++) {
      await this.page.keyboard.press('ControlOrMeta+P');
      try {
        await box.fill(name, { timeout: PALETTE.limitMs });
        await found.waitFor({ timeout: PALETTE.limitMs * attempt });
        break;
      } catch (error) {
        if (attempt === PALETTE.attempts) throw error;
        await this.page.keyboard.press('Escape');
      }
    }
    await box.press('Enter');
    await this.page.locator('.tab.active').filter({ hasText: file }).waitFor();
    await this.page.locator('.editor-instance .monaco-editor.focused').waitFor();
  }

  /** In a browser VS Code saves by itself too, and so shows no tab as changed: wait for what the disk has. */
  async save(): Promise<void> {
    await this.page.keyboard.press('ControlOrMeta+S');
  }

  /** Types over the line that the cursor is in, and saves the file; wait as after `save`. */
  async replaceLine(text: string): Promise<void> {
    await this.page.keyboard.press('End');
    await this.page.keyboard.press('Shift+Home');
    await this.page.keyboard.press('Shift+Home');
    await this.page.keyboard.insertText(text);
    await this.save();
  }

  /** Types a command line into a new terminal. What it does is for the caller to wait for. */
  async typeInTerminal(commandLine: string): Promise<void> {
    await this.runCommand('Terminal: Create New Terminal');
    await this.typeInOpenTerminal(commandLine);
  }

  /** Types a command line into the terminal that is shown. */
  async typeInOpenTerminal(commandLine: string): Promise<void> {
    // The first: what scrolls with a long command is drawn as a second one.
    const terminal = this.page.locator('.terminal-wrapper.active .xterm').first();
    await terminal.waitFor();
    await terminal.click();
    await this.page.locator('.terminal-wrapper.active .xterm.focus').first().waitFor();
    await this.page.keyboard.type(commandLine);
    await this.page.keyboard.press('Enter');
  }

  /** Types a message into the chat view, after what stands in its box, and sends it. */
  async say(text: string): Promise<void> {
    const box = this.page.locator('.interactive-session .chat-input-container .monaco-editor');
    await box.click();
    await box.getByText('@apprentice').waitFor();
    await this.page.keyboard.press('ControlOrMeta+End');
    await this.page.keyboard.type(text);
    // The list of commands of a participant takes the key otherwise.
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press('Enter');
  }

  /** Waits for an answer with this text in the chat view. */
  async said(text: string, limitMs: number): Promise<Locator> {
    const answer = this.page.locator('.interactive-response', { hasText: text }).first();
    await answer.waitFor({ timeout: limitMs });
    return answer;
  }

  /** The document inside the webview that is shown. */
  webview(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready:visible').frameLocator('iframe#active-frame');
  }

  /** Saves a picture under test/e2e/screenshots/ and returns its path. */
  async screenshot(name: string): Promise<string> {
    const path = join(repositoryRoot, 'test', 'e2e', 'screenshots', `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }
}

/** What Monaco has drawn, line by line; it draws spaces as no-break spaces. */
async function drawnText(editor: Locator): Promise<string> {
  const text = await editor.locator('.view-lines').evaluate((lines) => {
    const drawn = [...lines.querySelectorAll<HTMLElement>('.view-line')];
    drawn.sort((a, b) => Number.parseFloat(a.style.top) - Number.parseFloat(b.style.top));
    return drawn.map((line) => line.textContent ?? '').join('\n');
  });
  return text.replaceAll('\u00a0', ' ');
}
