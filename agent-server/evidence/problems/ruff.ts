/** Ruff, in its full and its concise form. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `typed.py:1:8: F401 [*] ...`, and since a syntax error has no code `typed.py:1:8: SyntaxError: ...`. */
const CONCISE =
  /^(\S.*\.(?:pyi?|ipynb)):(?:cell \d+:)?(\d+):\d+: ([A-Z]{1,6}\d{1,4}|invalid-syntax:?|SyntaxError:)(?: \[\*\])? (.*)$/;
const HEADING = /^([A-Z]{1,6}\d{1,4}|invalid-syntax):?(?: \[\*\])? (\S.*)$/;
const PLACE = /^\s*--> (.+?):(\d+):\d+$/;

export function readRuff({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes('--> ') && !/\.(?:pyi?|ipynb):/.test(text)) return [];
  return lines.flatMap((line, at) => {
    const [, path, number, code, message] = CONCISE.exec(line) ?? [];
    if (path !== undefined && code !== undefined && message !== undefined) {
      return [problem('ruff', path, number, 'error', code.replace(/:$/, ''), message)];
    }
    const [, rule, said] = HEADING.exec(line) ?? [];
    const [, file, row] = PLACE.exec(lines[at + 1] ?? '') ?? [];
    return rule === undefined || said === undefined || file === undefined
      ? []
      : [problem('ruff', file, row, 'error', rule, said)];
  });
}
