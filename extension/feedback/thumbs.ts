/** Thumbs: the user's own verdict on a turn, which outranks whatever is inferred. */
import { randomUUID } from 'node:crypto';
import { l10n, window, workspace } from 'vscode';
import { Observation } from '../../agent-server/protocol/observations.ts';
import type { ObservationSpool } from '../capture/observation-spool.ts';
import type { Scrub } from '../capture/scrub/scrub.ts';
import type { AgentServerClient } from '../client.ts';
import type { LatestProposals } from '../commit/latest-proposals.ts';
import { rootOf } from '../commit/pick-repository.ts';

export type ThumbValue = 1 | -1;

/** `rewrite`, `words`: how it should have been; null: not said. */
export interface Label {
  turnId: string;
  value: 1 | 0 | -1;
  rewrite: string | null;
  words: string | null;
}

export class Thumbs {
  readonly #client: AgentServerClient;
  readonly #spool: ObservationSpool;
  readonly #latest: LatestProposals;
  readonly #scrub: Scrub;

  constructor(client: AgentServerClient, spool: ObservationSpool, latest: LatestProposals, scrub: Scrub) {
    this.#client = client;
    this.#spool = spool;
    this.#latest = latest;
    this.#scrub = scrub;
  }

  /** Rates the last proposal of the clicked repository, or of all. */
  async rateLatest(argument: unknown, value: ThumbValue): Promise<void> {
    const proposal = this.#latest.get(rootOf(argument));
    if (proposal === null) {
      void window.showInformationMessage(
        l10n.t('There is no proposal to rate yet: let Apprentice write a commit message first.'),
      );
      return;
    }
    await this.rate(proposal.turnId, value);
  }

  /** Rates any turn. False, and the user is told, when nothing may be recorded. */
  async rate(turnId: string, value: ThumbValue): Promise<boolean> {
    if (!(await this.label({ turnId, value, rewrite: null, words: null }))) return false;
    window.setStatusBarMessage(
      value === 1 ? l10n.t('Apprentice: thumbs up noted') : l10n.t('Apprentice: thumbs down noted'),
      3_000,
    );
    return true;
  }

  /** The user's own label, with how it should have been where they say so. False when nothing may be recorded. */
  async label({ turnId, value, rewrite, words }: Label): Promise<boolean> {
    if (!workspace.isTrusted || this.#client.learning !== 'on') {
      void window.showInformationMessage(l10n.t('Learning is not on, so the thumb was not recorded.'));
      return false;
    }
    await this.#spool.add(
      Observation.parse({
        kind: 'thumb',
        observationId: randomUUID(),
        observedAt: new Date().toISOString(),
        turnId,
        value,
        rewrite: rewrite && (await this.#scrub(rewrite)),
        words: words && (await this.#scrub(words)),
      }),
    );
    this.#latest.rated(turnId);
    return true;
  }
}
