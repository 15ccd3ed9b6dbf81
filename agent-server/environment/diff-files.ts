/** Reads the text of `git diff` into files with their changed lines. Pure; it never opens a path it finds. */

export interface DiffFile {
  path: string;
  status: 'added' | 'deleted' | 'renamed' | 'modified';
  /**
   * generated: lock files, minified and snapshot files; their lines say nothing about the intent. withheld: the user keeps
   * its lines back.
   */
  content: 'text' | 'binary' | 'generated' | 'withheld';
  added: number;
  removed: number;
  /** Changed lines with their sign, and `@@ <function>` where a hunk names one. Context lines are left out. */
  lines: string[];
}

/** Stands in place of a file's hunks; no line of a diff's header or of a hunk reads so. */
export const WITHHELD = 'Lines withheld';

const GENERATED_PATH =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|go\.sum|[^/]*\.lock|[^/]*\.min\.(js|css)|[^/]*\.(map|snap))$|(^|\/)(node_modules|vendor|dist)\//;
const GENERATED_MARK = /^\+.{0,20}(@generated|Code generated .* DO NOT EDIT)/;

/** Every file of a diff in git's order. Text that is not a diff gives no file. */
export function diffFiles(diff: string): DiffFile[] {
  return diff
    .split(/^(?=diff --)/m)
    .filter((part) => part.startsWith('diff --'))
    .map(readFile);
}

function readFile(part: string): DiffFile {
  const all = part.split('\n');
  const firstHunk = all.findIndex((line) => line.startsWith('@@'));
  const header = firstHunk === -1 ? all : all.slice(0, firstHunk);
  const hunks = firstHunk === -1 ? [] : all.slice(firstHunk);
  const path = pathOf(header);
  const changed = hunks.flatMap(changedLine);
  const binary = header.some((line) => line.startsWith('Binary files ') || line === 'GIT binary patch');
  const withheld = header.includes(WITHHELD);
  const generated =
    GENERATED_PATH.test(path) || changed.slice(0, 5).some((line) => GENERATED_MARK.test(line));
  return {
    path,
    status: statusOf(header),
    content: withheld ? 'withheld' : binary ? 'binary' : generated ? 'generated' : 'text',
    added: changed.filter((line) => line.startsWith('+')).length,
    removed: changed.filter((line) => line.startsWith('-')).length,
    lines: changed,
  };
}

function changedLine(line: string): string[] {
  if (line.startsWith('+') || line.startsWith('-')) return [line.trimEnd()];
  const hunk = /^@@+ [^@]*@@+ (.+)$/.exec(line);
  return hunk?.[1] ? [`@@ ${hunk[1].trim()}`] : [];
}

function pathOf(header: readonly string[]): string {
  const after = (prefix: string) => header.find((line) => line.startsWith(prefix))?.slice(prefix.length);
  const named = [after('+++ '), after('--- ')].find((path) => path !== undefined && path !== '/dev/null');
  const path = named ?? after('rename to ') ?? / ("?[abciwo]\/.*)$/.exec(header[0] ?? '')?.[1] ?? '';
  return path
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replace(/^.* ([abciwo]\/)/, '$1')
    .replace(/^[abciwo]\//, '');
}

function statusOf(header: readonly string[]): DiffFile['status'] {
  if (header.some((line) => line.startsWith('new file mode'))) return 'added';
  if (header.some((line) => line.startsWith('deleted file mode'))) return 'deleted';
  return header.some((line) => line.startsWith('rename to ')) ? 'renamed' : 'modified';
}
