/**
 * How a turn's change of test files makes them weaker: tests removed or switched off, assertions removed, expected
 * values edited. Read from the diff's lines, in any language; what looks weaker counts as weaker, since passing
 * by way of it must never be rewarded.
 */

/** A file's part of the diff, without its headers. */
interface FileChange {
  readonly path: string;
  readonly deleted: boolean;
  readonly removed: string[];
  readonly added: string[];
  /** Runs of removed lines followed by added ones. */
  readonly blocks: { readonly removed: string[]; readonly added: string[] }[];
}

export interface TestDiff {
  /** What became weaker, a phrase each; [] nothing. */
  readonly weakened: readonly string[];
  /** Tests that the diff adds. */
  readonly added: number;
}

const SWITCHED_OFF =
  /\.(?:skip|only|todo|fails|failing)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(|\bmark\.(?:skip|skipif|xfail)\b|\b(?:pytest|self|t|b|this)\.(?:skip|Skip|xfail|SkipNow|Skipf|skipTest)\w*\(|@(?:unittest\.)?(?:skip\w*|expectedFailure|Disabled|Ignore)\b|#\[ignore\b|\[Ignore\b|\bSkip\s*=|\b(?:skip|only|todo):\s*(?:true|['"])/;
const ASSERTION =
  /\b(?:assert\w*|expect\w*|should\w*|ASSERT_\w+|EXPECT_\w+|raises|verify)\b|\brequire\.[A-Z]\w*\(|\b[tb]\.(?:Error|Fatal|Fail)\w*\(|\bAssert\./;
const TEST =
  /\b(?:it|test|specify)(?:\.\w+)*\(\s*(['"`])(.+?)\1|\bdef (test\w*)|\bfunc ((?:Test|Benchmark|Fuzz)\w+)|\bvoid (\w+)\(\)|\bfn (\w+)\(\)|\b(?:TEST|TEST_F)\(([\w, ]+)\)|\bTask (\w+)\(\)/;
const LITERAL = /(['"`])(?:\\.|(?!\1)[^\\])*\1|\b\d[\w.]*\b|\b(?:true|false|null|None|True|False|nil)\b/g;
const COMMENT = /^\s*(?:\/\/|#(?!\[)|\*|\/\*|--\s)/;
const IMPORT = /^\s*(?:import|from|use|using|#include)\b|\brequire\(/;
const SNAPSHOT = /\.snap$|__snapshots__\/|\.snapshot$|\.golden$/;
const MAX_LINE_CHARS = 500;

export function readTestDiff(diff: string): TestDiff {
  const weakened: string[] = [];
  let added = 0;
  for (const change of changes(diff)) {
    const inFile = ` in ${change.path}`;
    if (change.deleted) {
      weakened.push(`${change.path} was deleted`);
      continue;
    }
    const off = count(change.added, SWITCHED_OFF) - count(change.removed, SWITCHED_OFF);
    if (off > 0) weakened.push(`a test was switched off${inFile}`);
    const [was, is] = [titles(change.removed), titles(change.added)];
    const gone = [...was].find((title) => !is.has(title));
    if (gone !== undefined) weakened.push(`the test "${gone}" was removed or renamed${inFile}`);
    added += [...is].filter((title) => !was.has(title)).length;
    if (SNAPSHOT.test(change.path) && change.removed.some((line) => line.trim() !== '')) {
      weakened.push(`a snapshot was edited${inFile}`);
    }
    const assertions = changedAssertions(change);
    if (assertions.removed > assertions.added) weakened.push(`an assertion was removed${inFile}`);
    else if (assertions.removed > 0) weakened.push(`an assertion was edited${inFile}`);
    else if (change.blocks.some(editsLiteral)) weakened.push(`an expected value was edited${inFile}`);
  }
  return { weakened, added };
}

function changes(diff: string): FileChange[] {
  const found: FileChange[] = [];
  let block: { removed: string[]; added: string[] } | null = null;
  let before = '';
  for (const raw of diff.split('\n')) {
    const line = raw.slice(0, MAX_LINE_CHARS).trimEnd();
    const current = found.at(-1);
    if (line.startsWith('--- ')) before = pathOf(line);
    else if (line.startsWith('+++ ')) {
      const after = pathOf(line);
      const deleted = after === '/dev/null';
      found.push({ path: deleted ? before : after, deleted, removed: [], added: [], blocks: [] });
      block = null;
    } else if (current === undefined || !/^[-+]/.test(line)) block = null;
    else {
      const text = line.slice(1);
      const side = line.startsWith('-') ? 'removed' : 'added';
      if (COMMENT.test(text)) continue;
      if (block === null || (side === 'removed' && block.added.length > 0)) {
        block = { removed: [], added: [] };
        current.blocks.push(block);
      }
      block[side].push(text);
      current[side].push(text);
    }
  }
  return found;
}

function pathOf(line: string): string {
  return (
    line
      .slice(4)
      .split('\t')[0]
      ?.replace(/^[ab]\//, '') ?? ''
  );
}

function count(lines: readonly string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}

function titles(lines: readonly string[]): Set<string> {
  return new Set(
    lines.flatMap(
      (line) =>
        TEST.exec(line)
          ?.slice(2)
          .find((title) => title !== undefined) ?? [],
    ),
  );
}

/** Lines with assertions that are on one side only; moving one or indenting it anew changes nothing. */
function changedAssertions(change: FileChange): { removed: number; added: number } {
  const plain = (lines: readonly string[]): string[] =>
    lines.filter((line) => ASSERTION.test(line)).map((line) => line.replaceAll(/\s+/g, ''));
  const [was, is] = [plain(change.removed), plain(change.added)];
  const kept = new Set(is);
  const had = new Set(was);
  return {
    removed: was.filter((line) => !kept.has(line)).length,
    added: is.filter((line) => !had.has(line)).length,
  };
}

/** A line that differs from the one it replaces by values alone. */
function editsLiteral(block: { removed: readonly string[]; added: readonly string[] }): boolean {
  return block.removed.some((was, at) => {
    const is = block.added[at];
    if (is === undefined || TEST.test(was) || IMPORT.test(was)) return false;
    return was.trim() !== is.trim() && masked(was) === masked(is) && masked(was) !== was.trim();
  });
}

function masked(line: string): string {
  return line.trim().replaceAll(LITERAL, '§');
}
