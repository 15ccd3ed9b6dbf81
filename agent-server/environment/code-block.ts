/**
 * Code as a model is shown it and answers it: in a fence, without the indentation that its place in a file gives it. Pure,
 * and imports nothing, as editors word what the user made of an answer with it.
 */

/** The answer that would have given this code: one block, without the indentation that its place in the file gives it. */
export function inlineEditAnswer(code: string, language: string): string {
  return fenced(dedented(code).text, language);
}

/** In a fence that nothing in it can close. */
export function fenced(code: string, language: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${code}${code === '' ? '' : '\n'}${fence}`;
}

/** The code without the blanks that all its lines begin with; of nothing but blanks, those of its first line. */
export function dedented(code: string): { text: string; indent: string } {
  const lines = code.split('\n');
  const blanks = lines.filter((line) => line.trim() !== '').map(leadingBlanks);
  const [first = leadingBlanks(lines[0] ?? '')] = blanks;
  const shared = blanks.reduce((common, one) => {
    let length = 0;
    while (length < common.length && common[length] === one[length]) length++;
    return common.slice(0, length);
  }, first);
  return { text: lines.map((line) => withoutIndent(line, shared)).join('\n'), indent: shared };
}

function leadingBlanks(line: string): string {
  return /^[ \t]*/.exec(line)?.[0] ?? '';
}

function withoutIndent(line: string, indent: string): string {
  return line.startsWith(indent) ? line.slice(indent.length) : line.trim() === '' ? '' : line;
}

/** Every line as much deeper; blank ones stay empty. */
export function indented(code: string, indent: string): string {
  return code
    .split('\n')
    .map((line) => (line.trim() === '' ? '' : `${indent}${line}`))
    .join('\n');
}
