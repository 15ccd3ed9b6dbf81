/** Accessibility of what is drawn, by axe-core: https://github.com/dequelabs/axe-core. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { FrameLocator } from 'playwright-core';
import { z } from 'zod';

const Results = z.object({
  passes: z.array(z.object({ id: z.string() })),
  violations: z.array(
    z.object({
      id: z.string(),
      help: z.string(),
      nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })),
    }),
  ),
});

/**
 * Each violation of axe's default rules in a webview's document, in words; none where all is well. `place`: a webview
 * is transparent, and what axe cannot see is what it stands on.
 */
export async function violations(webview: FrameLocator, place: 'sideBar' | 'editor'): Promise<string[]> {
  const body = await webview.locator('body').elementHandle();
  const frame = await body?.ownerFrame();
  if (frame == null) throw new Error('The webview is gone.');
  // Given to the debugger, not to the page: the page's own policy lets no script in.
  await frame.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  await frame.evaluate(
    (color) => document.documentElement.style.setProperty('background-color', color),
    `var(--vscode-${place}-background)`,
  );
  const found = Results.parse(await frame.evaluate('axe.run(document)'));
  if (found.passes.length === 0) throw new Error('axe looked at nothing.');
  return found.violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ html, failureSummary = '' }) => `  ${html}\n    ${failureSummary}`).join('\n')}`,
  );
}
