/** rustc and clippy, as cargo shows them. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

const HEADING = /^(error|warning)(?:\[(\w+)\])?: (.*)$/;
/** ` --> src/lib.rs:3:5` within the next lines. Totals (`could not compile`) have none and are left out. */
const PLACE = /^\s*--> (.+?):(\d+):\d+$/;
/** What stands beside the carets: `expected i64, found &str`. */
const LABEL = /^\s*\| +\^+ (\S.*)$/;
const MAX_DISTANCE = 10;

export function readRustc({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes('--> ')) return [];
  return lines.flatMap((line, at) => {
    const [, severity, code, message] = HEADING.exec(line) ?? [];
    if (severity === undefined || message === undefined) return [];
    for (let below = at + 1; below < at + MAX_DISTANCE; below++) {
      const next = lines[below] ?? '';
      if (HEADING.test(next)) return [];
      const [, path, number] = PLACE.exec(next) ?? [];
      if (!path?.endsWith('.rs')) continue;
      const label = lines.slice(below, below + MAX_DISTANCE).flatMap((one) => LABEL.exec(one)?.[1] ?? [])[0];
      const whole = label === undefined ? message : `${message}: ${label}`;
      return [problem('rustc', path, number, severity, code, whole)];
    }
    return [];
  });
}
