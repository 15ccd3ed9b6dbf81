/** Takes the lines of some files out of a diff, so that it still says that they changed and not how. Pure. */
import { WITHHELD } from '../../../agent-server/environment/commit-message.ts';

/**
 * `diff` (as `git diff` prints it, with the prefixes `a/` and `b/`) in which a file whose old or new path is withheld
 * has a line that says so in place of its hunks.
 */
export function withhold(diff: string, isWithheld: (path: string) => boolean): string {
  return diff
    .split(/^(?=diff --)/m)
    .map((part) => {
      const hunks = /^@@/m.exec(part);
      if (hunks === null) return part;
      const header = part.slice(0, hunks.index);
      return pathsOf(header).some(isWithheld) ? `${header}${WITHHELD}\n` : part;
    })
    .join('');
}

/** Relative to the work tree, with `/`. */
function pathsOf(header: string): string[] {
  return [...header.matchAll(/^(?:---|\+\+\+) (.+)$/gm)].flatMap(([, named = '']) => {
    // git puts a tab behind a name with spaces in it.
    const name = unquoted(named.replace(/\t$/, ''));
    return name === '/dev/null' ? [] : [name.replace(/^[ab]\//, '')];
  });
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07' };

/** git quotes names as C does, each byte that is no ASCII as three octal digits. */
function unquoted(name: string): string {
  const inner = /^"(.*)"$/.exec(name)?.[1];
  if (inner === undefined) return name;
  const bytes = [...inner.matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/g)].map(([, octal, escaped, plain]) => {
    if (octal !== undefined) return Buffer.of(Number.parseInt(octal, 8));
    return Buffer.from(escaped === undefined ? (plain ?? '') : (ESCAPES[escaped] ?? escaped));
  });
  return Buffer.concat(bytes).toString('utf8');
}
