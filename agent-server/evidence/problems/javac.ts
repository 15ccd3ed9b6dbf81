/** javac, also through Maven and Gradle's plain output. */
import type { Diagnostic } from '../../protocol/observations.ts';
import type { ToolOutput } from '../tool-output.ts';
import { problem } from './problem.ts';

/** `Pricing.java:5: error: ...` */
const JAVAC = /^(\S.*\.java):(\d+): (error|warning): (.*)$/;
/** What "cannot find symbol" is about stands below the source line. */
const SYMBOL = /^ {2}symbol: +(\S.*)$/;
/** `[ERROR] /path/Pricing.java:[5,22] ...` */
const MAVEN = /^\[(ERROR|WARNING)\] (\S+\.java):\[(\d+),\d+\] (.*)$/;

export function readJavac({ lines, text }: ToolOutput): Diagnostic[] {
  if (!text.includes('.java:')) return [];
  return lines.flatMap((line, index) => {
    const [, path, at, severity, message] = JAVAC.exec(line) ?? [];
    if (path !== undefined && severity !== undefined && message !== undefined) {
      const symbol = lines.slice(index + 1, index + 5).flatMap((one) => SYMBOL.exec(one)?.[1] ?? [])[0];
      const said = symbol === undefined ? message : `${message}: ${symbol}`;
      return [problem('javac', path, at, severity, undefined, said)];
    }
    const [, level, file, number, said] = MAVEN.exec(line) ?? [];
    return level === undefined || file === undefined || said === undefined
      ? []
      : [problem('javac', file, number, level.toLowerCase(), undefined, said)];
  });
}
