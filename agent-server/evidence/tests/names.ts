/** Helpers that the recognisers of test reports share. */

/** Between the suites and the test in a name. */
export const PATH_SEPARATOR = ' > ';

/** Names of the open suites, told by indentation: one that is indented no deeper closes those before it. */
export class SuitePath {
  readonly #open: { indent: number; name: string }[] = [];

  enter(indent: number, name: string): void {
    this.leave(indent);
    this.#open.push({ indent, name });
  }

  /** Closes what is indented as deep as `indent` or deeper. */
  leave(indent: number): void {
    while ((this.#open.at(-1)?.indent ?? -1) >= indent) this.#open.pop();
  }

  /** The full name of a test at `indent`. */
  nameOf(indent: number, name: string): string {
    this.leave(indent);
    return [...this.#open.map((one) => one.name), name].join(PATH_SEPARATOR);
  }
}

/** `12ms`, `(12 ms)`, `(0.3s)` at the end of a test's line. */
const DURATION = /\s+\(?\d+(?:\.\d+)?\s?(?:ms|s|m|h)\)?$/;

export function withoutDuration(name: string): string {
  return name.trimEnd().replace(DURATION, '').trim();
}

/** `file:line` of a frame of a JavaScript stack; null for the runtime's own frames and those of dependencies. */
export function frameLocation(line: string): string | null {
  const frame = line.trim();
  if (!/^(?:at|❯)\s/.test(frame)) return null;
  const words = frame.replaceAll(/[()]/g, ' ').trimEnd();
  const place = /^(.+:\d+):\d+$/.exec(words.slice(words.lastIndexOf(' ') + 1))?.[1];
  if (place === undefined || place.startsWith('node:') || place.includes('node_modules')) return null;
  return place.replace(/^file:\/\//, '');
}

/**
 * Up to `limit` lines that say something, from `start` on, until `end` says stop. Joined by spaces; null when
 * there are none.
 */
export function messageFrom(
  lines: readonly string[],
  start: number,
  limit: number,
  end: (line: string) => boolean,
): string | null {
  const said: string[] = [];
  for (let at = start; at < lines.length && at < start + 20 && said.length < limit; at++) {
    const line = lines[at] ?? '';
    if (end(line)) break;
    if (line.trim() !== '') said.push(line.trim());
  }
  return said.length === 0 ? null : said.join(' ').replaceAll(/\s+/g, ' ');
}

/** The first location among the lines of a failure. */
export function locationFrom(
  lines: readonly string[],
  start: number,
  end: (line: string) => boolean,
): string | null {
  for (let at = start; at < lines.length && at < start + 60; at++) {
    const line = lines[at] ?? '';
    if (end(line)) return null;
    const place = frameLocation(line);
    if (place !== null) return place;
  }
  return null;
}
