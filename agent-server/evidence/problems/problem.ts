/** Helpers for compilers and linters. What they say has the form of a `Diagnostic`: path, line, severity, message. */
import type { Diagnostic } from '../../protocol/observations.ts';

export type ProblemTool =
  | 'tsc'
  | 'eslint'
  | 'gcc'
  | 'rustc'
  | 'javac'
  | 'go'
  | 'mypy'
  | 'pyright'
  | 'ruff'
  | 'msbuild';

/** Bounds of the schema (protocol/observations.ts). */
const MAX_PATH_CHARS = 4096;
const MAX_CODE_CHARS = 100;

/** Line 0 or none: null. Severities that no schema knows are information. */
export function problem(
  source: ProblemTool,
  path: string,
  line: string | number | undefined,
  severity: string,
  code: string | undefined,
  message: string,
): Diagnostic {
  const number = Number(line ?? 0);
  return {
    path: path.trim().slice(0, MAX_PATH_CHARS),
    line: Number.isSafeInteger(number) && number > 0 ? number : null,
    severity: severity.endsWith('error') ? 'error' : severity === 'warning' ? 'warning' : 'info',
    source,
    code: code?.slice(0, MAX_CODE_CHARS) ?? null,
    message: message.trim(),
  };
}
