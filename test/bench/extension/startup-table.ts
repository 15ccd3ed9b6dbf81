/**
 * What VS Code itself says an extension's activation took, from its own "Developer: Startup Performance". Times are
 * whole milliseconds, as VS Code rounds them.
 */
import type { Page } from 'playwright-core';
import type { Workbench } from '../../e2e/harness/workbench.ts';

export interface Activation {
  /** Reading and running the bundle. */
  loadCodeMs: number;
  /** `activate()` until it returns. */
  callMs: number;
  /** Until the promise that it returned is settled; 0 without one. */
  finishMs: number;
  event: string;
}
const TITLE = 'Startup Performance';
/** Extensions are told of once they have started, and VS Code has been idle. */
const TABLE_LIMIT_MS = 60_000;

/** Waits until every extension named in `ids` stands in the table, and gives their rows, by id. */
export async function readActivations(
  workbench: Workbench,
  ids: readonly string[],
): Promise<Map<string, Activation>> {
  const { page } = workbench;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const untilMs = performance.now() + TABLE_LIMIT_MS;
  for (;;) {
    await workbench.runCommand(`Developer: ${TITLE}`);
    await page.locator('.tab.active').filter({ hasText: TITLE }).waitFor();
    const found = activationsIn(await copied(page));
    if (ids.every((id) => found.has(id))) return found;
    if (performance.now() > untilMs)
      throw new Error(`"${TITLE}" does not tell of ${ids.filter((id) => !found.has(id)).join(', ')}.`);
    await workbench.runCommand('View: Close All Editors');
  }
}

/** The whole text of the editor that is shown: Monaco draws only what is in sight. */
async function copied(page: Page): Promise<string> {
  await page.locator('.editor-instance .monaco-editor .view-line').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('ControlOrMeta+C');
  return page.evaluate(() => navigator.clipboard.readText());
}

/** Rows of the table of extensions: `| id | eager | load | call | finish | event | by |`. */
export function activationsIn(text: string): Map<string, Activation> {
  const rows = text.split(/\r?\n/).flatMap((line): [string, Activation][] => {
    const [, id = '', , load = '', call = '', finish = '', event = ''] = line
      .split('|')
      .map((cell) => cell.trim());
    return /^[\w-]+\.[\w-]+$/.test(id) && [load, call, finish].every((ms) => /^\d+$/.test(ms))
      ? [[id, { loadCodeMs: Number(load), callMs: Number(call), finishMs: Number(finish), event }]]
      : [];
  });
  return new Map(rows);
}
