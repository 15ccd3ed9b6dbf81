/**
 * Test reports in any output: the recognisers decide by its form, not by a command's name, so a report is found
 * wherever it stands: in a terminal, a task, the result of a tool call.
 */
import type { TestReport } from '../test-report.ts';
import { type ToolOutput, toolOutput } from '../tool-output.ts';
import { readCargoTest } from './cargo-test.ts';
import { readDotnetTest } from './dotnet-test.ts';
import { readGoTest } from './go-test.ts';
import { readJest } from './jest.ts';
import { readJestJson } from './jest-json.ts';
import { readJunit } from './junit.ts';
import { readMocha } from './mocha.ts';
import { readNodeTest } from './node-test.ts';
import { readPytest } from './pytest.ts';
import { readTap } from './tap.ts';
import { readVitest } from './vitest.ts';

const RECOGNISERS: readonly ((output: ToolOutput) => TestReport | null)[] = [
  readJunit,
  readTap,
  readNodeTest,
  readVitest,
  readJest,
  readJestJson,
  readMocha,
  readPytest,
  readGoTest,
  readCargoTest,
  readDotnetTest,
];

/** The reports in `text`, at most one of each form; [] when there is none. Never throws, in bounded time. */
export function readTestOutput(text: string): TestReport[] {
  const output = toolOutput(text);
  return RECOGNISERS.flatMap((recognise) => recognise(output) ?? []);
}
