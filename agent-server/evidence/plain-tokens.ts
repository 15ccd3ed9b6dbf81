/**
 * Texts compared without their formatting, in any language: blanks and line breaks, the kind of quotes, semicolons
 * at line ends, commas before a closing bracket and the order of imports make no difference. Everything else does,
 * comments too; so does the depth of a line where blocks are told by indentation.
 */

/** Words, strings on one line, and every other character. A longer string is read in pieces: the time is bounded. */
const TOKEN =
  /[\p{L}\p{N}_$]+|"(?:\\.|[^"\\\n]){0,300}"|'(?:\\.|[^'\\\n]){0,300}'|`(?:\\.|[^`\\\n]){0,300}`|\S/gu;
const IMPORT =
  /^(?:import\b|from\s+\S+\s+import\b|use\s|using\s|#include\b|(?:const|let|var)\s.*=\s*require\()/;
const CLOSING: ReadonlySet<string> = new Set([')', ']', '}']);
/** A block that indentation tells: a line ending in a colon, with a deeper one below it. */
const BLOCK_BY_INDENT = /:[ \t]*(?:#.*)?\n(?:[ \t]*\n)*[ \t]+\S/;

/** Same text but for formatting? Linear in both. */
export function sameTokens(one: string, other: string): boolean {
  const offside = BLOCK_BY_INDENT.test(one) || BLOCK_BY_INDENT.test(other);
  const [a, b] = [plainTokens(one, offside), plainTokens(other, offside)];
  return a.length === b.length && a.every((token, at) => token === b[at]);
}

function plainTokens(text: string, offside: boolean): string[] {
  const lines = withSortedImports(text.replaceAll(/\r\n?/g, '\n').split('\n'));
  const tokens: string[] = [];
  const depths: number[] = [0];
  let brackets = 0;
  for (const line of lines) {
    if (line.trim() === '') continue;
    if (offside && brackets === 0) markDepth(line, depths, tokens);
    const own = [...line.matchAll(TOKEN)].map(([token]) => plainQuotes(token));
    while (own.at(-1) === ';') own.pop();
    for (const token of own) {
      if (CLOSING.has(token) && tokens.at(-1) === ',') tokens.pop();
      if ('([{'.includes(token)) brackets++;
      else if (')]}'.includes(token)) brackets = Math.max(0, brackets - 1);
      tokens.push(token);
    }
  }
  // `a; }` on one line and `a` before `}` on the next are one statement.
  return tokens.filter((token, at) => token !== ';' || !CLOSING.has(tokens[at + 1] ?? ''));
}

/** As Python's own tokenizer: a mark where a line is deeper than the one before, one for each level that ends. */
function markDepth(line: string, depths: number[], tokens: string[]): void {
  const depth = line.replaceAll('\t', '        ').search(/\S/);
  if (depth > (depths.at(-1) ?? 0)) {
    depths.push(depth);
    tokens.push('\u0000indent');
  }
  while (depths.length > 1 && depth < (depths.at(-1) ?? 0)) {
    depths.pop();
    tokens.push('\u0000dedent');
  }
}

/** A string has one form whatever its quotes, unless it holds other ones. */
function plainQuotes(token: string): string {
  const quote = token[0] ?? '';
  if (token.length < 2 || !'"\'`'.includes(quote)) return token;
  const inner = token.slice(1, -1);
  return /["'`$\\]/.test(inner) ? token : `"${inner}"`;
}

/** Runs of one-line imports in order of the alphabet. */
function withSortedImports(lines: readonly string[]): string[] {
  const sorted: string[] = [];
  let imports: string[] = [];
  for (const line of lines) {
    if (IMPORT.test(line)) imports.push(line);
    else if (line.trim() !== '' || imports.length === 0) {
      sorted.push(...imports.sort(byText), line);
      imports = [];
    }
  }
  return [...sorted, ...imports.sort(byText)];
}

function byText(a: string, b: string): number {
  const [one, other] = [a.replaceAll(/["'`;\s]/g, ''), b.replaceAll(/["'`;\s]/g, '')];
  return one < other ? -1 : one > other ? 1 : 0;
}
