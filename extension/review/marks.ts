/** How a proposal looks in an editor: what comes on the background of added lines, what goes on that of removed ones. */
import {
  type DecorationOptions,
  type Disposable,
  OverviewRulerLane,
  type Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  window,
} from 'vscode';
import type { LineRange } from './line-range.ts';
import type { Proposal } from './proposal.ts';

/** A longer line says no more. */
const MAX_SHOWN_CHARS = 400;

export class Marks implements Disposable {
  readonly #added: TextEditorDecorationType;
  readonly #removed: TextEditorDecorationType;
  readonly #asked: TextEditorDecorationType;

  constructor() {
    const line = (background: string, bar: string, ruler: string): TextEditorDecorationType =>
      window.createTextEditorDecorationType({
        isWholeLine: true,
        backgroundColor: new ThemeColor(background),
        // High contrast themes have no backgrounds.
        borderStyle: 'solid',
        borderWidth: '0 0 0 3px',
        borderColor: new ThemeColor(bar),
        overviewRulerColor: new ThemeColor(ruler),
        overviewRulerLane: OverviewRulerLane.Full,
      });
    this.#added = line(
      'diffEditor.insertedLineBackground',
      'editorGutter.addedBackground',
      'diffEditorOverview.insertedForeground',
    );
    this.#removed = line(
      'diffEditor.removedLineBackground',
      'editorGutter.deletedBackground',
      'diffEditorOverview.removedForeground',
    );
    this.#asked = line(
      'editor.rangeHighlightBackground',
      'editorGutter.modifiedBackground',
      'editorOverviewRuler.rangeHighlightForeground',
    );
  }

  /** The lines that an answer is awaited for. */
  drawAsked(editor: TextEditor, region: LineRange): void {
    editor.setDecorations(this.#asked, linesIn(editor, region));
  }

  draw(editor: TextEditor, { hunks }: Proposal): void {
    const open = hunks.filter(({ decision }) => decision === null);
    const tabSize = typeof editor.options.tabSize === 'number' ? editor.options.tabSize : 4;
    editor.setDecorations(
      this.#added,
      open.flatMap(({ fresh }) => linesIn(editor, fresh)),
    );
    editor.setDecorations(
      this.#removed,
      open.flatMap(({ ghosts, removed }) =>
        linesIn(editor, ghosts).flatMap((range, index): DecorationOptions[] => {
          // Somebody wrote there.
          if (!editor.document.lineAt(range.start.line).isEmptyOrWhitespace) return [];
          const contentText = shown(removed[index] ?? '', tabSize);
          // After the empty line, or the lenses above it would stand behind the text.
          return [{ range, renderOptions: { after: { contentText, color: new ThemeColor(REMOVED) } } }];
        }),
      ),
    );
    editor.setDecorations(this.#asked, []);
  }

  clear(editor: TextEditor): void {
    for (const type of [this.#added, this.#removed, this.#asked]) editor.setDecorations(type, []);
  }

  dispose(): void {
    for (const type of [this.#added, this.#removed, this.#asked]) type.dispose();
  }
}

/** Readable on the background of removed lines, and less than what stays. */
const REMOVED = 'descriptionForeground';

function linesIn({ document }: TextEditor, { start, end }: LineRange): Range[] {
  const last = Math.min(end, document.lineCount);
  return Array.from({ length: Math.max(0, last - start) }, (_, at) => document.lineAt(start + at).range);
}

/** Editors draw several blanks of such a text as one, and no tab. */
function shown(line: string, tabSize: number): string {
  return line.slice(0, MAX_SHOWN_CHARS).replaceAll('\t', ' '.repeat(tabSize)).replaceAll(' ', '\u00a0');
}
