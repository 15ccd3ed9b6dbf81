/**
 * What Apprentice's handlers take of a keystroke, in a real VS Code: typed into a file of 20,000 lines in which 20 hunks of
 * an agent are followed, above all of them, inside one and below all. The empty handler is measured at the same
 * keystrokes (test/fixtures/extension-probe).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packCompanion } from '../../e2e/harness/companion.ts';
import { ScriptedAgent } from '../../e2e/harness/scripted-agent.ts';
import { openTill } from '../../e2e/harness/till.ts';

const FILE = 'src/prices.txt';
const LINES = 20_000;
const HUNKS = 20;
/** Answers are short. */
const HUNKS_A_TURN = 5;
const LENSES_A_HUNK = 2;
/** Above all hunks, inside the middle one, below all. */
const PLACES = [1, (LINES / HUNKS) * (HUNKS / 2) + 500, LINES - 1];
const CONNECT_LIMIT_MS = 90_000;
/** Beside other work a window starts slowly. */
const STEP_LIMIT_MS = 60_000;
const SAID_LIMIT_MS = 90_000;

const Readings = z.object({
  /** A command, the first and the second time: the first loads the window's parts. */
  firstUseMs: z.number(),
  nextUseMs: z.number(),
  emptyMs: z.array(z.number()),
  apprenticeMs: z.array(z.number()),
});
export type Readings = z.infer<typeof Readings>;

/** One reading a keystroke; `count` of them, shared among the places. */
export async function measureKeystrokes(count: number): Promise<Readings> {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-keystrokes-'));
  const report = join(folder, 'readings.json');
  const probe = await packCompanion('extension-probe');
  let agent: ScriptedAgent | undefined;
  const lines = Array.from({ length: LINES }, (_, index) => `Item ${index + 1} costs what the list says.`);
  const till = await openTill(
    async ({ apprenticeHome, env }, repository) => {
      env['EXTENSION_PROBE_REPORT'] = report;
      env['EXTENSION_PROBE_LENSES'] = String(HUNKS * LENSES_A_HUNK);
      repository.write(FILE, `${lines.join('\n')}\n`);
      agent = await ScriptedAgent.start(apprenticeHome);
    },
    {
      companions: [probe.vsix],
      settings: { 'security.workspace.trust.enabled': false, 'editor.quickSuggestions': false },
    },
  );
  try {
    const { workbench, repository } = till;
    workbench.page.setDefaultTimeout(STEP_LIMIT_MS);
    const say = async (command: string, said: string): Promise<void> => {
      await workbench.runCommand(`Extension Probe: ${command}`);
      await workbench.notice(new RegExp(`Extension probe: ${said}`)).waitFor({ timeout: SAID_LIMIT_MS });
      await workbench.runCommand('Notifications: Clear All Notifications');
    };
    await workbench.openFile(`${FILE}:1`);
    await say('Begin', 'begun');
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    const blocks: string[] = [];
    for (let at = LINES / HUNKS / 2; at < LINES; at += LINES / HUNKS) {
      const [before, after] = [lines[at - 1] ?? '', `Item ${at} costs nothing today.\nItem ${at} is a gift.`];
      blocks.push(`${FILE}\n<<<<<<< SEARCH\n${before}\n=======\n${after}\n>>>>>>> REPLACE\n`);
      lines[at - 1] = after;
    }
    for (let first = 0; first < HUNKS; first += HUNKS_A_TURN)
      await agent?.ask('Give some of it away.', blocks.slice(first, first + HUNKS_A_TURN).join('\n'));
    repository.write(FILE, `${lines.join('\n')}\n`);
    await say('Measure', 'measuring');
    for (const place of PLACES) {
      await workbench.openFile(`${FILE}:${place}`);
      await workbench.page.keyboard.press('End');
      await workbench.page.keyboard.type('x'.repeat(Math.ceil(count / PLACES.length)));
    }
    await say('Report', 'reported');
    return Readings.parse(JSON.parse(readFileSync(report, 'utf8')));
  } finally {
    await agent?.stop();
    await till.close('keystrokes-last');
    probe.remove();
    rmSync(folder, { recursive: true });
  }
}
