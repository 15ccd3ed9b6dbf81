/** The Go compiler and `go vet`. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `bad/bad.go:5:2: imported and not used: "os"`, `vet: ./a.go:3:5: ...`. What tests say is indented. */
const PROBLEM = /^(?:vet: )?([^\s:][^:]*\.go):(\d+):(?:\d+:)? (.*)$/;

export function readGo({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes('.go:')) return [];
  return lines.flatMap((line) => {
    const [, path, at, message] = PROBLEM.exec(line) ?? [];
    return path === undefined || message === undefined
      ? []
      : [problem('go', path, at, 'error', undefined, message)];
  });
}
