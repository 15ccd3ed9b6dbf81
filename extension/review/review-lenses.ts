/** The commands above the hunks of a review, and above lines that an answer is awaited for. What they do is inline-edits.ts's. */
import {
  CodeLens,
  type CodeLensProvider,
  type Command,
  EventEmitter,
  l10n,
  Range,
  type TextDocument,
} from 'vscode';
import type { LineRange } from './line-range.ts';
import { type Proposal, undecided } from './proposal.ts';

/** What lenses can be about in one document. */
export type Shown =
  | { readonly kind: 'asked'; readonly region: LineRange; readonly linesSoFar: number }
  | { readonly kind: 'review'; readonly proposal: Proposal };

export class ReviewLenses implements CodeLensProvider {
  readonly #shown: (document: TextDocument) => Shown | null;
  readonly #onDidChange = new EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#onDidChange.event;

  constructor(shown: (document: TextDocument) => Shown | null) {
    this.#shown = shown;
  }

  changed(): void {
    this.#onDidChange.fire();
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    const shown = this.#shown(document);
    if (shown === null) return [];
    const uri = document.uri.toString();
    const above = (line: number, all: readonly Command[]): CodeLens[] =>
      all.map((command) => new CodeLens(new Range(line, 0, line, 0), command));
    if (shown.kind === 'asked') {
      const { region, linesSoFar } = shown;
      return above(region.start, [
        { title: `$(loading~spin) ${writing(linesSoFar)}`, command: '' },
        lens(
          `$(close)\u00a0${l10n.t('Cancel')}`,
          l10n.t('Stop writing and leave everything as it is'),
          'apprentice.cancelEdit',
        ),
      ]);
    }
    const open = undecided(shown.proposal);
    return open.flatMap((index, order) => {
      const line = shown.proposal.hunks[index]?.ghosts.start ?? 0;
      const one = [uri, index];
      const own = [
        lens(`$(check)\u00a0${l10n.t('Accept')}`, l10n.t('Take this change'), 'apprentice.acceptHunk', one),
        lens(
          `$(close)\u00a0${l10n.t('Reject')}`,
          l10n.t('Leave these lines as they were'),
          'apprentice.rejectHunk',
          one,
        ),
      ];
      const edit = lens(
        `$(edit)\u00a0${l10n.t('Edit')}`,
        l10n.t('Write it otherwise, then accept it'),
        'apprentice.editHunk',
        one,
      );
      const all =
        order === 0 && open.length > 1
          ? [
              lens(
                `$(check-all)\u00a0${l10n.t('Accept All {0}', open.length)}`,
                l10n.t('Take all changes'),
                'apprentice.acceptAllHunks',
                [uri],
              ),
              lens(
                `$(close-all)\u00a0${l10n.t('Reject All')}`,
                l10n.t('Leave all as it was'),
                'apprentice.rejectAllHunks',
                [uri],
              ),
            ]
          : [];
      return above(line, [...own, edit, ...all]);
    });
  }

  dispose(): void {
    this.#onDidChange.dispose();
  }
}

function writing(linesSoFar: number): string {
  if (linesSoFar === 0) return l10n.t('Apprentice is writing');
  return linesSoFar === 1
    ? l10n.t('Apprentice is writing: 1 line')
    : l10n.t('Apprentice is writing: {0} lines', linesSoFar);
}

function lens(title: string, tooltip: string, command: string, args: readonly unknown[] = []): Command {
  return { title, tooltip, command, arguments: [...args] };
}
