/** A run of a command: what is known of it, and which earlier run of the session it is to be compared with. */
import type { Diagnostic, Observation, ToolResultObservation } from '../protocol/observations.ts';
import type { ObservationContext } from './context.ts';
import { readProblems } from './problems/read-problems.ts';
import type { TestReport } from './test-report.ts';
import { readTestOutput } from './tests/read-test-output.ts';

export interface Run {
  readonly exitCode: number | null;
  readonly output: string;
}

export interface RunFacts {
  readonly exitCode: number | null;
  readonly reports: readonly TestReport[];
  /** Errors of compilers and linters; warnings decide nothing. */
  readonly errors: readonly Diagnostic[];
}

/** An earlier run, with what tells that another is the same command again. */
export interface SessionRun extends Run {
  readonly command: string;
  /** Of the tool call that ran it; null for any other run. */
  readonly callId: string | null;
}

/** An earlier run, read. */
export interface EarlierFacts extends RunFacts {
  readonly callId: string | null;
}

/** Earlier runs that are read; further back the code was another one. */
const MAX_EARLIER_RUNS = 12;

export function factsOf(run: Run): RunFacts {
  return {
    exitCode: run.exitCode,
    reports: readTestOutput(run.output),
    errors: readProblems(run.output).filter((one) => one.severity === 'error'),
  };
}

/** Same kind, same name or command line; of tool calls the same arguments. Null: not a run. */
export function commandOf(observation: Observation, context: ObservationContext): string | null {
  switch (observation.kind) {
    case 'terminal':
      return `terminal ${observation.commandLine.trim()}`;
    case 'task':
      return `task ${observation.name}`;
    case 'test_run':
      return 'test_run';
    case 'tool_result': {
      const call = context.toolCalls.find((one) => one.callId === observation.callId);
      return call === undefined
        ? `tool_result ${observation.callId}`
        : `${call.name} ${plainJson(call.arguments)}`;
    }
    default:
      return null;
  }
}

/** Words in the name of a tool that runs something. */
const RUNNING: ReadonlySet<string> = new Set(
  'run exec execute shell bash sh terminal command tests test pytest lint check build compile diagnostics'.split(
    ' ',
  ),
);

/**
 * Does the tool run something? Else a report in its result is only a text that was read, from a file or a page,
 * and says nothing of the code.
 */
export function runsSomething(
  { callId, toolName }: ToolResultObservation,
  { toolCalls }: ObservationContext,
): boolean {
  const words = toolName
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);
  if (words.some((word) => RUNNING.has(word))) return true;
  const call = toolCalls.find((one) => one.callId === callId);
  return call !== undefined && /^\s*\{\s*"(?:command|cmd|script)"\s*:/.test(call.arguments);
}

export const NO_FACTS: RunFacts = { exitCode: null, reports: [], errors: [] };

/** Earlier runs of the session, newest first. */
export function earlierRuns(context: ObservationContext): SessionRun[] {
  const runs: SessionRun[] = [];
  for (const observation of context.before.toReversed()) {
    const command = commandOf(observation, context);
    if (command === null || runs.length >= MAX_EARLIER_RUNS) continue;
    if (observation.kind === 'tool_result') {
      if (!runsSomething(observation, context)) continue;
      const exitCode = observation.isError === null ? null : Number(observation.isError);
      runs.push({ command, exitCode, output: observation.text, callId: observation.callId });
    } else if ('output' in observation) {
      runs.push({ command, exitCode: observation.exitCode, output: observation.output, callId: null });
    }
  }
  return runs;
}

/**
 * The run before this one: of the same command; else, for tests, the last that ran the same ones. Another command
 * may have run other tests, which say nothing of these.
 */
export function runBefore(
  command: string | null,
  facts: RunFacts,
  context: ObservationContext,
): EarlierFacts | null {
  for (const run of earlierRuns(context)) {
    if (run.output.trim() === '' && run.exitCode === null) continue;
    const same = run.command === command;
    if (!same && facts.reports.length === 0) continue;
    const earlier = { ...factsOf(run), callId: run.callId };
    const silent = earlier.reports.length === 0 || facts.reports.length === 0;
    if (same && (silent || haveToolInCommon(earlier.reports, facts.reports))) return earlier;
    if (!same && sameTests(earlier.reports, facts.reports)) return earlier;
  }
  return null;
}

/**
 * Without what was run after the same turn's work: people run a failing test again, and its second failure is no less
 * the turn's.
 */
export function beforeTurn(context: ObservationContext, turnId: string): ObservationContext {
  return {
    request: context.request,
    toolCalls: context.toolCalls,
    answer: context.answer,
    get edits() {
      return context.edits;
    },
    get before() {
      return context.before.filter((one) => !('turnId' in one) || one.turnId !== turnId);
    },
  };
}

function haveToolInCommon(some: readonly TestReport[], others: readonly TestReport[]): boolean {
  return some.some((one) => others.some((other) => other.tool === one.tool));
}

/** A test of the one that failed stands, by name, in the other. */
function sameTests(some: readonly TestReport[], others: readonly TestReport[]): boolean {
  const names = (reports: readonly TestReport[]): string[] =>
    reports.flatMap((report) => report.cases.map((one) => `${report.tool} ${one.name}`));
  const failed = (reports: readonly TestReport[]): TestReport[] =>
    reports.map((report) => ({ ...report, cases: report.cases.filter((one) => one.outcome === 'failed') }));
  const [have, had] = [new Set(names(others)), new Set(names(some))];
  return (
    names(failed(some)).some((name) => have.has(name)) || names(failed(others)).some((name) => had.has(name))
  );
}

/** Arguments without the freedom of JSON: spaces and the order of keys. */
function plainJson(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value, (_key, one: unknown) =>
      typeof one === 'object' && one !== null && !Array.isArray(one)
        ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
        : one,
    );
  } catch {
    return text.trim();
  }
}
