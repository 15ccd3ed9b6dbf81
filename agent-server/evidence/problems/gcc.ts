/** gcc, clang and their linkers. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `a.c:4:16: error: ... [-Wflag]`. Other tools write the same form for files of theirs. */
const PROBLEM =
  /^((?:[A-Za-z]:)?[^\s:][^:]*\.(?!py:|pyi:|java:|go:)\w+):(\d+):\d+: ((?:fatal )?error|warning): (.*)$/;
const FLAG = /^(.*) \[(-W[^\]]*)\]$/;
/** `a.c:(.text+0xa): undefined reference to `tax'`, with or without the linker's name in front. */
const LINK = /^(?:\S*ld: )?(\S+?):\(\.\S+\): (undefined reference to .*|multiple definition of .*)$/;

export function readGcc({ lines, text }: ToolOutput): Diagnostic[] {
  if (!/(?:error|warning): |undefined reference|multiple definition/.test(text)) return [];
  return lines.flatMap((line) => {
    const [, path, at, severity, said] = PROBLEM.exec(line) ?? [];
    if (path !== undefined && severity !== undefined && said !== undefined) {
      const [, message, flag] = FLAG.exec(said) ?? [];
      return [problem('gcc', path, at, severity, flag, message ?? said)];
    }
    const [, file, reference] = LINK.exec(line) ?? [];
    return file === undefined || reference === undefined
      ? []
      : [problem('gcc', file, undefined, 'error', undefined, reference)];
  });
}
