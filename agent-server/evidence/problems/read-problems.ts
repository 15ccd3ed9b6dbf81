/** What compilers and linters say in any output, told by its form. */
import type { Diagnostic } from '../../protocol/observations.ts';
import { type ToolOutput, toolOutput } from '../tool-output.ts';
import { readEslint } from './eslint.ts';
import { readGcc } from './gcc.ts';
import { readGo } from './go.ts';
import { readJavac } from './javac.ts';
import { readMypy } from './mypy.ts';
import { readPyright } from './pyright.ts';
import { readRuff } from './ruff.ts';
import { readRustc } from './rustc.ts';
import { readTsc } from './tsc.ts';

const RECOGNISERS: readonly ((output: ToolOutput) => Diagnostic[])[] = [
  readTsc,
  readEslint,
  readGcc,
  readRustc,
  readJavac,
  readGo,
  readMypy,
  readPyright,
  readRuff,
];

/** As many as a diagnostics observation may hold. */
const MAX_PROBLEMS = 200;

/** Errors and warnings in `text`, in the tools' order, each once. Never throws, in bounded time. */
export function readProblems(text: string): Diagnostic[] {
  const output = toolOutput(text);
  const found = new Map<string, Diagnostic>();
  for (const one of RECOGNISERS.flatMap((recognise) => recognise(output))) {
    if (found.size >= MAX_PROBLEMS) break;
    found.set(`${one.path}\n${one.line}\n${one.code}\n${one.message}`, one);
  }
  return [...found.values()];
}
