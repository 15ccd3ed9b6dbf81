/** tsc, plain and pretty, and MSBuild (C#), whose plain form is the same. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `a.ts(1,7): error TS2322: ...`; MSBuild adds `[project.csproj]`. */
const PLAIN = /^\s*([^\s():][^():]*(?::[^():]+)?)\((\d+),\d+\): (error|warning) ([A-Z]{1,10}\d+): (.*)$/;
/** `a.ts:1:7 - error TS2322: ...` */
const PRETTY = /^(\S.*?):(\d+):\d+ - (error|warning) (TS\d+): (.*)$/;
/** `error TS18003: ...`: of the configuration, no file. */
const GLOBAL = /^(error) (TS\d+): (.*)$/;
const PROJECT = / \[[^[\]]*proj\]$/;

export function readTsc({ lines, text }: ToolOutput): Diagnostic[] {
  if (!/(?:error|warning) [A-Z]/.test(text)) return [];
  return lines.flatMap((line) => {
    const [, path, at, severity, code, message] = PLAIN.exec(line) ?? PRETTY.exec(line) ?? [];
    if (path !== undefined && severity !== undefined && message !== undefined) {
      const source = code?.startsWith('TS') ? 'tsc' : 'msbuild';
      return [problem(source, path, at, severity, code, message.replace(PROJECT, ''))];
    }
    const [, level, tsCode, said] = GLOBAL.exec(line) ?? [];
    return level === undefined || said === undefined
      ? []
      : [problem('tsc', '', undefined, level, tsCode, said)];
  });
}
