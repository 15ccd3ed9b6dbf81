/** What is told when an agent's edit reaches a file of the workspace. */
import type { TextDocumentChangeEvent } from 'vscode';
import type { Span } from './span.ts';

/** An edit of an agent's turn was seen in a file of the workspace. */
export interface ArrivedEdit {
  readonly turnId: string;
  /** Path of the document, as the editor names it. */
  readonly document: string;
  /** Where it is in the document now. */
  readonly span: Span;
  /** The change that brought it; null: it was found in a file that was saved or written. */
  readonly brought: TextDocumentChangeEvent | null;
}
