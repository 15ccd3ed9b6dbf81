/**
 * Lists of what is not to be captured, in gitignore's syntax: `.apprenticeignore` files and the setting. Pure. What git
 * itself ignores is asked of git (capture-ignore.ts).
 */
import { isAbsolute, relative, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';

/** Patterns of one source, and the folder (absolute) that they are relative to. */
export interface IgnoreSource {
  readonly folder: string;
  readonly patterns: string | readonly string[];
}

export class IgnoreLists {
  readonly #lists: { folder: string; matcher: Ignore }[];

  /** Each source decides alone: `!` in one takes back nothing of another. */
  constructor(sources: readonly IgnoreSource[]) {
    this.#lists = sources.map(({ folder, patterns }) => ({
      folder,
      matcher: ignore({ allowRelativePaths: false }).add(patterns),
    }));
  }

  /** Does a list name this file, or a folder that it is in? `path` is absolute. */
  names(path: string): boolean {
    return this.#lists.some(({ folder, matcher }) => {
      const inside = relative(folder, path).split(sep).join('/');
      return inside !== '' && !/^\.\.(\/|$)/.test(inside) && !isAbsolute(inside) && matcher.ignores(inside);
    });
  }
}
