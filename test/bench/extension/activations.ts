/**
 * What activating Apprentice takes, start by start, beside an extension that registers nothing, in the same window of a
 * real VS Code: for somebody who has not answered yet whether it may learn, and for somebody who has.
 */
import { packCompanion } from '../../e2e/harness/companion.ts';
import { ScriptedAgent } from '../../e2e/harness/scripted-agent.ts';
import { openTill } from '../../e2e/harness/till.ts';
import { type Activation, readActivations } from './startup-table.ts';

const APPRENTICE = 'apprentice.apprentice';
const EMPTY = 'apprentice-tests.empty-extension';
const CONNECT_LIMIT_MS = 90_000;
/** Beside other work a window starts slowly. */
const STEP_LIMIT_MS = 60_000;
const NOT_STARTED = /^Apprentice: not started yet/;
const CONNECTED = /^Apprentice: policy@v0 answers/;

export interface Start {
  apprentice: Activation;
  empty: Activation;
}

export interface Activations {
  unanswered: Start[];
  answered: Start[];
}

/** `count` starts of each kind. */
export async function measureActivations(count: number): Promise<Activations> {
  const empty = await packCompanion('empty-extension');
  let agent: ScriptedAgent | undefined;
  const till = await openTill(
    async ({ apprenticeHome }) => {
      agent = await ScriptedAgent.start(apprenticeHome);
    },
    { companions: [empty.vsix], settings: { 'security.workspace.trust.enabled': false } },
  );
  const { workbench } = till;
  workbench.page.setDefaultTimeout(STEP_LIMIT_MS);
  /** `shows`: the name of the status bar item once the window has started. */
  const start = async (shows: RegExp): Promise<Start> => {
    await workbench.page.reload({ waitUntil: 'commit' });
    await workbench.ready();
    const rows = await readActivations(workbench, [APPRENTICE, EMPTY]);
    const [ours, theirs] = [rows.get(APPRENTICE), rows.get(EMPTY)];
    if (ours === undefined || theirs === undefined) throw new Error('A row has gone.');
    await workbench.button(shows).waitFor({ timeout: CONNECT_LIMIT_MS });
    await workbench.runCommand('View: Close All Editors');
    return { apprentice: ours, empty: theirs };
  };
  try {
    // The first start, which installed both, is not measured.
    const unanswered: Start[] = [];
    for (let n = 0; n < count; n += 1) unanswered.push(await start(NOT_STARTED));
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('The four loops').waitFor({ timeout: CONNECT_LIMIT_MS });
    await workbench.openSourceControl();
    const answered: Start[] = [];
    for (let n = 0; n < count; n += 1) answered.push(await start(CONNECTED));
    return { unanswered, answered };
  } finally {
    await agent?.stop();
    await till.close('activations-last');
    empty.remove();
  }
}
