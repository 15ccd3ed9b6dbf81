/** mypy. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `typed.py:5: error: Incompatible return value type ...  [return-value]`, with a column when asked for. */
const PROBLEM = /^(\S.*\.pyi?):(\d+):(?:\d+:)? (error|warning): (.*)$/;
const CODE = /^(.*\S) {2}\[([\w-]+)\]$/;

export function readMypy({ lines, text }: ToolOutput): Diagnostic[] {
  if (!/\.pyi?:\d+:/.test(text)) return [];
  return lines.flatMap((line) => {
    const [, path, at, severity, said] = PROBLEM.exec(line) ?? [];
    if (path === undefined || severity === undefined || said === undefined) return [];
    const [, message, code] = CODE.exec(said) ?? [];
    return [problem('mypy', path, at, severity, code, message ?? said)];
  });
}
