/** The commands of inline edits. What they do is in a bundle of its own, loaded when one of them is first used. */
import type { Disposable, TextDocument } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import type { HunkCapture } from '../capture/hunks/hunk-capture.ts';
import type { ReviewCapture } from '../capture/review-capture.ts';
import type { AgentServerClient } from '../client.ts';
import type { AgentEdit, ProposedReview } from './agent-edit.ts';
import type { AskModel } from './asked-edit.ts';
import type { InlineEditParts, InlineEdits } from './inline-edits.ts';

/** The first request may wait for the model to load. */
const ASK_TIMEOUT_MS = 180_000;

export interface InlineEditCommandParts
  extends Pick<InlineEditParts, 'scrub' | 'ready' | 'askConsent' | 'showError'> {
  client: AgentServerClient;
  reviews: ReviewCapture;
  hunks: HunkCapture;
}

export class InlineEditCommands implements Disposable {
  readonly #parts: InlineEditCommandParts;
  #loaded: Promise<InlineEdits> | null = null;

  constructor(parts: InlineEditCommandParts) {
    this.#parts = parts;
  }

  /** By their ids in package.json. */
  readonly handlers: Record<string, (...target: unknown[]) => Promise<void>> = {
    'apprentice.editSelection': async () => (await this.#edits()).edit(),
    'apprentice.cancelEdit': async () => (await this.#edits()).cancel(),
    'apprentice.acceptHunk': async (...target) => (await this.#edits()).decide(target, 'accepted'),
    'apprentice.rejectHunk': async (...target) => (await this.#edits()).decide(target, 'rejected'),
    'apprentice.editHunk': async (...target) => (await this.#edits()).editHunk(target),
    'apprentice.acceptAllHunks': async (...target) => (await this.#edits()).decideAll(target, 'accepted'),
    'apprentice.rejectAllHunks': async (...target) => (await this.#edits()).decideAll(target, 'rejected'),
  };

  /** Puts an edit of our own agent under review. */
  async propose(document: TextDocument, edit: AgentEdit): Promise<ProposedReview> {
    return (await this.#edits()).propose(document, edit);
  }

  dispose(): void {
    void this.#loaded?.then((edits) => edits.dispose());
  }

  #edits(): Promise<InlineEdits> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async #load(): Promise<InlineEdits> {
    const { InlineEdits } = await import('./inline-edits.ts');
    const { reviews, hunks, scrub, ready, askConsent, showError } = this.#parts;
    return new InlineEdits({
      ask: this.#ask,
      loading: () => this.#parts.client.snapshot?.worker?.engine.state === 'starting',
      report: (document, turnId, reviewed, callId) => reviews.report(document, turnId, reviewed, callId),
      accepted: (document, hunk) => hunks.accepted(document, hunk),
      scrub,
      ready,
      askConsent,
      showError,
    });
  }

  readonly #ask: AskModel = async (requestId, selection, onText, signal) => {
    const { client } = this.#parts;
    const streaming = client.onActionText((action) => {
      if (action.requestId === requestId && !signal.aborted) onText(action.text);
    });
    try {
      const params = { requestId, selection };
      return await client.request(editorRequests.editSelection, params, {
        signal,
        timeoutMs: ASK_TIMEOUT_MS,
      });
    } finally {
      streaming.dispose();
    }
  };
}
