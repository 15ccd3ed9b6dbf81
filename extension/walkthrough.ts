/**
 * Tells VS Code which steps of the walkthrough are done, by the context keys that package.json names. VS Code takes notice
 * of a key that becomes true, not of one that was true before it first read the walkthrough: so nothing is told before the
 * connection has something to tell.
 */
import { commands } from 'vscode';
import type { AgentServerClient } from './client.ts';
import type { RuntimeState } from './runtime-setup.ts';

/** This editor's own chat is no other agent. */
const OWN = new Set<string | null>([null, 'Apprentice chat', 'VS Code chat']);

export class Walkthrough {
  readonly #told = new Map<string, boolean>();

  tell(client: AgentServerClient, runtime: RuntimeState): void {
    const turns = client.snapshot?.turns ?? [];
    const done = {
      'apprentice.hasModel': runtime === 'ready',
      'apprentice.learningAnswered': client.learning !== null && client.learning !== 'unasked',
      'apprentice.hasProposal': turns.some(({ client: agent }) => agent === null),
      'apprentice.hasOutcome': turns.some(({ outcome }) => outcome === 'accepted' || outcome === 'corrected'),
      'apprentice.hasOtherAgent': turns.some(({ client: agent }) => !OWN.has(agent)),
    };
    for (const [key, holds] of Object.entries(done)) {
      if (this.#told.get(key) === holds) continue;
      this.#told.set(key, holds);
      void commands.executeCommand('setContext', key, holds);
    }
  }
}
