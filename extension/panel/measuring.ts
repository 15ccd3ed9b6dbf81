/**
 * What the panel has the agent-server measure. It takes minutes, so that it belongs to the window and not to the page:
 * it goes on while that is hidden, and is cancelled when the window closes. Two versions' answers are held here as long
 * as somebody looks at them, and nowhere else.
 */
import { randomUUID } from 'node:crypto';
import { type Disposable, EventEmitter } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { AnswerPair, SideBySideRequest } from '../../agent-server/protocol/promotion.ts';
import type { AgentServerClient } from '../client.ts';
import type { PanelView, SideBySide } from './messages.ts';

/** A slow machine whose user works on meanwhile: then measuring stands back. */
const LIMIT_MS = 2 * 60 * 60_000;

type MeasuringClient = Pick<AgentServerClient, 'request' | 'onProgress' | 'onSideBySideAnswered'>;

export class Measuring implements Disposable {
  readonly #client: MeasuringClient;
  readonly #onDidChange = new EventEmitter<void>();
  #comparing: PanelView['comparing'] = { kind: 'idle' };
  #sideBySide: SideBySide | null = null;
  #comparison = new AbortController();
  #answering = new AbortController();
  #answered = Promise.resolve();
  readonly onDidChange = this.#onDidChange.event;

  constructor(client: MeasuringClient) {
    this.#client = client;
  }

  get view(): Pick<PanelView, 'comparing' | 'sideBySide'> {
    return { comparing: this.#comparing, sideBySide: this.#sideBySide };
  }

  /** "Is it better for me?". Resolves when it has ended, however it did; the view says how. */
  async compare(): Promise<void> {
    if (this.#comparing.kind === 'running') return;
    this.#comparison = new AbortController();
    const { signal } = this.#comparison;
    const requestId = randomUUID();
    const told = this.#client.onProgress(({ requestId: of, done, total }) => {
      if (of === requestId && !signal.aborted) this.#compares({ kind: 'running', done, total });
    });
    this.#compares({ kind: 'running', done: 0, total: 0 });
    try {
      const request = { requestId, splitAt: null };
      await this.#client.request(editorRequests.evaluate, request, { timeoutMs: LIMIT_MS, signal });
      this.#compares({ kind: 'idle' });
    } catch (error) {
      this.#compares(signal.aborted ? { kind: 'idle' } : { kind: 'failed', message: inWords(error) });
    } finally {
      told.dispose();
    }
  }

  stopComparing(): void {
    this.#comparison.abort();
  }

  /** Resolves as `compare` does. Answers of versions that were asked before are let go of. */
  async answerSideBySide(request: SideBySideRequest): Promise<void> {
    this.#answering.abort();
    this.#answering = new AbortController();
    const { signal } = this.#answering;
    const requestId = randomUUID();
    const { left, right } = request;
    const pairs: AnswerPair[] = [];
    const shows = (state: SideBySide['state']): void => {
      // Another pair of versions was asked, or the answers were put away.
      if (this.#answering.signal !== signal || this.#sideBySide === null) return;
      this.#sideBySide = { left, right, state, pairs: [...pairs] };
      this.#onDidChange.fire();
    };
    const told = this.#client.onSideBySideAnswered(({ requestId: of, total, pair }) => {
      if (of !== requestId) return;
      pairs.push(pair);
      shows({ kind: 'running', total });
    });
    this.#sideBySide = { left, right, state: { kind: 'running', total: request.requests }, pairs: [] };
    this.#onDidChange.fire();
    // One at a time: what was cancelled has to have ended.
    const before = this.#answered;
    const ended = Promise.withResolvers<void>();
    this.#answered = ended.promise;
    try {
      await before;
      const params = { ...request, requestId };
      await this.#client.request(editorRequests.sideBySide, params, { timeoutMs: LIMIT_MS, signal });
      shows({ kind: 'ended' });
    } catch (error) {
      shows(signal.aborted ? { kind: 'ended' } : { kind: 'failed', message: inWords(error) });
    } finally {
      told.dispose();
      ended.resolve();
    }
  }

  /** What was answered until now stays. */
  stopSideBySide(): void {
    this.#answering.abort();
  }

  closeSideBySide(): void {
    this.#sideBySide = null;
    this.#answering.abort();
    this.#onDidChange.fire();
  }

  dispose(): void {
    this.#comparison.abort();
    this.#answering.abort();
    this.#onDidChange.dispose();
  }

  #compares(comparing: PanelView['comparing']): void {
    this.#comparing = comparing;
    this.#onDidChange.fire();
  }
}

function inWords(error: unknown): string {
  const { message, remedy } = toApprenticeError(error);
  return `${message} ${remedy}`.trim();
}
