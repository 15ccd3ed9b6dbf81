/**
 * Files of the workspace as the agent may have them: inside its folders, by no link out of them, and not ignored. A path
 * that a model wrote is looked up here and nowhere else (place.ts).
 */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type TextDocument, Uri, workspace } from 'vscode';
import { leadsOverNoLink } from './links.ts';
import { type Folder, isConfiguration, type Place, placeIn } from './place.ts';
import { ToolError } from './tool.ts';

/** A larger file is no source. */
const MAX_FILE_BYTES = 2_000_000;

export class WorkspaceFiles {
  readonly #mayCapture: (paths: readonly string[]) => Promise<ReadonlySet<string>>;

  /** `mayCapture`: those of these files that are not ignored (capture/ignore). */
  constructor(mayCapture: (paths: readonly string[]) => Promise<ReadonlySet<string>>) {
    this.#mayCapture = mayCapture;
  }

  get folders(): Folder[] {
    return (workspace.workspaceFolders ?? []).flatMap(({ name, uri }) =>
      uri.scheme === 'file' ? [{ name, path: uri.fsPath }] : [],
    );
  }

  /** The folder that is meant: by its name, or the only one. Throws ToolError. */
  folder(named: string | undefined): Folder {
    const { folders } = this;
    const [first] = folders;
    const found = named === undefined ? first : folders.find(({ name }) => name === named);
    if (found !== undefined) return found;
    throw new ToolError(`There is no folder ${named ?? ''} in this workspace.`);
  }

  /** A file that is there and may be read. Throws ToolError. */
  async existing(named: string): Promise<Place> {
    const place = this.#inside(named);
    await this.#noLinkOut(place, place.path, named);
    if (!(await stat(place.path)).isFile()) throw new ToolError(`${named} is no file.`);
    await this.#allowed(place, named);
    return place;
  }

  /** One that is there and may be changed. Throws ToolError. */
  async changeable(named: string): Promise<Place> {
    return notConfiguration(await this.existing(named), named);
  }

  /** A place where no file is, and one may come. Throws ToolError. */
  async free(named: string): Promise<Place> {
    const place = notConfiguration(this.#inside(named), named);
    if (await isThere(place.path)) throw new ToolError(`${named} exists already. Change it with edit_file.`);
    let above = dirname(place.path);
    while (!(await isThere(above)) && dirname(above) !== above) above = dirname(above);
    await this.#noLinkOut(place, above, named);
    await this.#allowed(place, named);
    return place;
  }

  /** The text as the editor has it. Throws ToolError for what is too large or no text. */
  async open({ path }: Place): Promise<TextDocument> {
    const shown = this.name(path);
    if ((await stat(path)).size > MAX_FILE_BYTES)
      throw new ToolError(`${shown} is over ${MAX_FILE_BYTES} bytes.`);
    const document = await workspace.openTextDocument(Uri.file(path)).then(
      (opened) => opened,
      () => null,
    );
    if (document === null || document.getText().includes('\0'))
      throw new ToolError(`${shown} is no text file.`);
    return document;
  }

  /** Of these paths, by whoever named them, those that may be read; in their order. */
  async readable(paths: readonly string[]): Promise<string[]> {
    const inside = paths.filter((path) => placeIn(path, this.folders) !== null);
    const allowed = await this.#mayCapture(inside);
    const found: string[] = [];
    for (const path of inside) {
      const place = allowed.has(path) ? placeIn(path, this.folders) : null;
      if (place !== null && (await leadsOverNoLink(place, path))) found.push(path);
    }
    return found;
  }

  /** As the model names it: relative, with the folder's name where there are several. */
  name(path: string): string {
    return workspace.asRelativePath(Uri.file(path));
  }

  #inside(named: string): Place {
    const place = placeIn(named, this.folders);
    if (place !== null) return place;
    throw new ToolError(`${named} is not in this workspace. Give a path that is relative to its folder.`);
  }

  async #noLinkOut(place: Place, path: string, named: string): Promise<void> {
    if (!(await isThere(path))) throw new ToolError(`There is no file ${named}. Find it with list_files.`);
    if (!(await leadsOverNoLink(place, path)))
      throw new ToolError(`${named} leads over a link: name the file itself.`);
  }

  async #allowed({ path }: Place, named: string): Promise<void> {
    if (!(await this.#mayCapture([path])).has(path))
      throw new ToolError(`${named} is ignored (by git, .apprenticeignore or a setting) and stays private.`);
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function notConfiguration(place: Place, named: string): Place {
  if (!isConfiguration(place)) return place;
  throw new ToolError(`${named} tells the editor what to run. Only the user changes it: say what to change.`);
}
