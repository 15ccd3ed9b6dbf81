/** Decisions on an agent's patch, as next states of the turn that proposed it; scrubbed, and only while learning is on. Files that may not be captured are not told of. */
import { randomUUID } from 'node:crypto';
import { type TextDocument, workspace } from 'vscode';
import { MAX_TEXT_CHARS, Observation } from '../../agent-server/protocol/observations.ts';
import type { AgentServerClient } from '../client.ts';
import { type Log, messageOf } from '../log.ts';
import type { ObservationSpool } from './observation-spool.ts';

/** What is said of a turn. */
export type Reviewed =
  | {
      readonly kind: 'patch_review';
      /** Null: the review as a whole. */
      readonly hunk: { readonly index: number; readonly count: number } | null;
      readonly decision: 'accepted' | 'rejected' | 'edited';
      readonly comment: string | null;
      /** What the user made of it, for `edited`. */
      readonly text: string | null;
    }
  /** It came to nothing, and says nothing. */
  | { readonly kind: 'proposal_closed'; readonly reason: 'cleared' | 'overwritten' };

/** What a text and a file go through first. */
export interface ReviewCleaning {
  /** Secrets out of a text (scrub/). */
  scrub(text: string): Promise<string>;
  /** May this file be captured (ignore/)? An absolute path. */
  mayCapture(path: string): Promise<boolean>;
}

export class ReviewCapture {
  readonly #client: AgentServerClient;
  readonly #spool: ObservationSpool;
  readonly #cleaning: ReviewCleaning;
  readonly #log: Log;
  /** One after the other: decisions are next states in the order in which they were made. */
  #kept: Promise<void> = Promise.resolve();

  constructor(client: AgentServerClient, spool: ObservationSpool, cleaning: ReviewCleaning, log: Log) {
    this.#client = client;
    this.#spool = spool;
    this.#cleaning = cleaning;
    this.#log = log;
  }

  /** `callId`: the call of the turn's answer that made the edit; null: the answer itself is it. */
  report(document: TextDocument, turnId: string, reviewed: Reviewed, callId: string | null): void {
    if (!this.#isOn()) return;
    // Half a text is no correction.
    if (reviewed.kind === 'patch_review' && (reviewed.text?.length ?? 0) > MAX_TEXT_CHARS) return;
    const ids = { observationId: randomUUID(), observedAt: new Date().toISOString(), turnId };
    const said: Said =
      reviewed.kind === 'patch_review' ? { ...reviewed, ...ids, callId } : { ...reviewed, ...ids };
    this.#kept = this.#kept
      .then(() => this.#keep(document, said))
      .catch((error: unknown) => this.#log.warn(`A review was not kept: ${messageOf(error)}`));
  }

  async #keep({ uri }: TextDocument, said: Said): Promise<void> {
    if (uri.scheme === 'file' && !(await this.#cleaning.mayCapture(uri.fsPath))) return;
    const cleaned =
      said.kind === 'patch_review'
        ? { ...said, comment: await this.#scrubbed(said.comment), text: await this.#scrubbed(said.text) }
        : said;
    // It may have been turned off while the rules were loaded.
    if (this.#isOn()) await this.#spool.add(Observation.parse(cleaned));
  }

  #isOn(): boolean {
    return workspace.isTrusted && this.#client.learning === 'on';
  }

  async #scrubbed(text: string | null): Promise<string | null> {
    return text === null ? null : this.#cleaning.scrub(text);
  }
}

type Ids = { readonly observationId: string; readonly observedAt: string; readonly turnId: string };
type PatchReview = Extract<Reviewed, { kind: 'patch_review' }>;
type Said = (PatchReview & Ids & { readonly callId: string | null }) | (Exclude<Reviewed, PatchReview> & Ids);
