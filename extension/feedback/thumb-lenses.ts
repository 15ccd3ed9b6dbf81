/** Thumbs above each hunk that an agent put into a document, until it is committed or the window is closed. */
import {
  type CodeLens,
  type CodeLensProvider,
  commands,
  type Disposable,
  EventEmitter,
  l10n,
  languages,
  Range,
  type TextDocument,
} from 'vscode';
import type { HunkCapture } from '../capture/hunks/hunk-capture.ts';
import type { Thumbs, ThumbValue } from './thumbs.ts';

const RATE = 'apprentice.rateHunk';
/** Ratings that are shown again; a window sees fewer. */
const MAX_RATED = 500;

export class ThumbLenses implements CodeLensProvider, Disposable {
  readonly #hunks: HunkCapture;
  readonly #rated = new Map<string, ThumbValue>();
  readonly #onDidChange = new EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#onDidChange.event;
  readonly #subscriptions: Disposable[];

  constructor(hunks: HunkCapture, thumbs: Thumbs) {
    this.#hunks = hunks;
    this.#subscriptions = [
      languages.registerCodeLensProvider({ scheme: 'file' }, this),
      hunks.onDidChangeHunks(() => this.#onDidChange.fire()),
      commands.registerCommand(RATE, async (turnId: string, value: ThumbValue) => {
        if (!(await thumbs.rate(turnId, value))) return;
        if (this.#rated.size >= MAX_RATED) this.#rated.clear();
        this.#rated.set(turnId, value);
        this.#onDidChange.fire();
      }),
    ];
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    return this.#hunks.placesIn(document).flatMap(({ hunk: { turnId }, span }) => {
      const place = document.positionAt(span.start);
      return [
        this.#lens(new Range(place, place), turnId, 1),
        this.#lens(new Range(place, place), turnId, -1),
      ];
    });
  }

  dispose(): void {
    this.#onDidChange.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #lens(range: Range, turnId: string, value: ThumbValue): CodeLens {
    const icon = value === 1 ? 'thumbsup' : 'thumbsdown';
    const given = this.#rated.get(turnId) === value;
    return {
      range,
      isResolved: true,
      command: {
        title: `$(${icon}${given ? '-filled' : ''})\u00a0${value === 1 ? l10n.t('Good edit') : l10n.t('Bad edit')}`,
        tooltip: value === 1 ? l10n.t('Thumbs up for this edit') : l10n.t('Thumbs down for this edit'),
        command: RATE,
        arguments: [turnId, value],
      },
    };
  }
}
