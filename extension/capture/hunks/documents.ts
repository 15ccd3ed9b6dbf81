/** Texts of documents, open or on the disk, by the paths that the editor names. */
import { readFileSync, statSync } from 'node:fs';
import { type TextDocument, type TextDocumentChangeEvent, TextDocumentChangeReason, workspace } from 'vscode';

/** A larger file is no source that an agent edits. */
const MAX_FILE_BYTES = 2_000_000;

/** A file of the workspace. */
export function isOurs({ uri }: Pick<TextDocument, 'uri'>): boolean {
  return uri.scheme === 'file' && workspace.getWorkspaceFolder(uri) !== undefined;
}

export function openDocument(path: string): TextDocument | undefined {
  return workspace.textDocuments.find(
    ({ uri, isClosed }) => uri.scheme === 'file' && !isClosed && uri.fsPath === path,
  );
}

/** What a document says now, saved or not; null: there is none. */
export function textOf(path: string): string | null {
  return openDocument(path)?.getText() ?? textOnDisk(path);
}

export function textOnDisk(path: string): string | null {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? readFileSync(path, 'utf8') : null;
  } catch {
    // Gone, or not ours to read: nothing of an agent's is in it then.
    return null;
  }
}

/** Was it undo or redo that changed the document? */
export function stepOf({ reason }: TextDocumentChangeEvent): 'undo' | 'redo' | null {
  if (reason === undefined) return null;
  return reason === TextDocumentChangeReason.Undo ? 'undo' : 'redo';
}
