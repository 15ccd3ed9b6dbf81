/** ESLint: its `stylish` form and its JSON. */
import { z } from 'zod';
import type { Diagnostic } from '../../protocol/observations.ts';
import { wholeJson, wholeObjects } from '../json.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

const PATH = /^(?:\/|[A-Za-z]:\\|\.{0,2}[\w@-])\S*\.\w+$/;
/** `  1:7   error    'unused' is assigned a value but never used  no-unused-vars`; a parsing error has no rule. */
const PROBLEM = /^\s+(\d+):\d+\s+(error|warning)\s+(\S.*)$/;
/** Columns are parted by two spaces; a plugin's rule is `@scope/name`. */
const RULE = /^(.*\S) {2,}([@\w/-]+)$/;

const File = z.object({
  filePath: z.string(),
  messages: z.array(
    z.object({
      ruleId: z.string().nullable(),
      severity: z.number(),
      message: z.string(),
      line: z.number().optional(),
    }),
  ),
});

export function readEslint({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes('"filePath"') && !/\d:\d+ +(?:error|warning) /.test(text)) return [];
  const found: Diagnostic[] = [];
  let path: string | null = null;
  for (const line of lines) {
    if (PATH.test(line)) path = line;
    else if (line.trim() === '') path = null;
    const [, at, severity, rest] = PROBLEM.exec(line) ?? [];
    if (path === null || severity === undefined || rest === undefined) continue;
    const [, message, rule] = RULE.exec(rest) ?? [];
    found.push(problem('eslint', path, at, severity, rule, message ?? rest));
  }
  return [...found, ...readJson(text)];
}

function readJson(text: string): Diagnostic[] {
  const start = text.indexOf('[{"filePath"');
  const whole = z.array(File).safeParse(wholeJson(text, start, ']'));
  const files = whole.success
    ? whole.data
    : wholeObjects(text, '{"filePath"').flatMap((value) => File.safeParse(value).data ?? []);
  return files.flatMap((file) =>
    file.messages.map((one) => {
      const severity = one.severity === 2 ? 'error' : 'warning';
      return problem('eslint', file.filePath, one.line, severity, one.ruleId ?? undefined, one.message);
    }),
  );
}
