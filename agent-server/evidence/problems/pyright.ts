/** Pyright (and basedpyright), whose messages may go over several lines with the rule at the end. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `  /dir/typed.py:5:12 - error: Type ...` */
const PROBLEM = /^\s+(\S.*\.pyi?):(\d+):\d+ - (error|warning): (.*)$/;
const RULE = /^(.*) \((report\w+)\)$/;
const MAX_LINES = 8;

export function readPyright({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes(' - error: ') && !text.includes(' - warning: ')) return [];
  return lines.flatMap((line, at) => {
    const [, path, number, severity, said] = PROBLEM.exec(line) ?? [];
    if (path === undefined || severity === undefined || said === undefined) return [];
    for (let last = at; last < at + MAX_LINES; last++) {
      if (last > at && (PROBLEM.test(lines[last] ?? '') || !/^\s{4}/.test(lines[last] ?? ''))) break;
      const rule = RULE.exec(lines[last] ?? '')?.[2];
      if (rule !== undefined) {
        return [problem('pyright', path, number, severity, rule, said.replace(` (${rule})`, ''))];
      }
    }
    return [problem('pyright', path, number, severity, undefined, said)];
  });
}
