/** What came back from a tool that an agent called. */
import type { ToolResultObservation } from '../protocol/observations.ts';
import type { Finding } from './compare-tests.ts';
import type { ObservationContext } from './context.ts';
import { RANK, type Reading } from './reading.ts';
import { lineOfError, readRun } from './run.ts';
import { commandOf, factsOf, NO_FACTS, runBefore, runsSomething } from './run-facts.ts';
import { testEdits } from './tool-edits.ts';
import { toolOutput } from './tool-output.ts';
import { failureWords, problemWords, wordsOf } from './words.ts';

/** How a failure begins where the client does not say that it is one. */
const FAILED =
  /^(?:<\w+>\s*)?(?:error|fatal|failed|failure|exception|traceback \(most recent|permission denied|access denied|command failed|unknown tool|invalid (?:argument|parameter|input)|timed? ?out)\b|^(?:[\w./-]+: ){1,4}(?:command not found|no such file)/i;
const EXIT_CODE = /\bexit(?:ed with)?(?: code| status)?[:= ]+([1-9]\d{0,2})\b/i;
const JSON_ERROR = /^\{\s*"(?:error|errors|isError|is_error)"\s*:(?!\s*(?:null|false|""|\[\]|\{\}))/;
/** Free of errors, and nothing in it. */
const NOTHING_FOUND =
  /^(?:\[\s*\]|\{\s*\}|null|none|\(?(?:no (?:results?|matches|match|files?|output|content|changes|entries)(?: (?:found|made|returned))?|0 (?:results?|matches|files)(?: found)?|nothing (?:found|to do|changed))\.?\)?)$/i;

/**
 * A failed call is never neutral: -1. One that brought nothing (nothing found, or the same call with the same
 * result again) is 0. Of a report of tests or a compiler's in it only what changed counts: that the agent looked
 * and saw failures is no fault of the call. Everything else is left to a judge.
 */
export function readToolResult(
  observation: ToolResultObservation,
  proposal: string,
  context: ObservationContext,
): Reading {
  const found = readResult(observation, proposal, context);
  return { source: 'tool_result', rank: RANK.tool_result, rewrite: null, ...found };
}

function readResult(
  observation: ToolResultObservation,
  proposal: string,
  context: ObservationContext,
): Finding {
  const { text, toolName } = observation;
  const failed = observation.isError ?? looksFailed(text);
  const run = { exitCode: Number(failed), output: text };
  const facts = runsSomething(observation, context) ? factsOf(run) : NO_FACTS;
  const before = runBefore(commandOf(observation, context), facts, context);
  const readable = [facts, before].some((one) => (one?.reports.length ?? 0) + (one?.errors.length ?? 0) > 0);
  const { diff, written } = testEdits(context, before?.callId ?? null, observation.callId);
  const testDiff = diff === '' ? null : diff;
  const compared =
    before === null || !readable
      ? null
      : readRun({
          now: run,
          editedSince: false,
          facts,
          before,
          testDiff,
          written,
          proposal,
          context,
          exitCodeMeans: () => 'verdict',
        });
  if (compared !== null && (compared.score === 1 || compared.score === -1)) return compared;

  const failing = facts.reports.flatMap((one) => one.cases).find((one) => one.outcome === 'failed');
  const [error] = facts.errors;
  const said =
    failing === undefined ? (error === undefined ? null : problemWords(error)) : failureWords(failing);
  const reports = said !== null || facts.reports.length > 0;
  if (observation.isError === true || (failed && !reports)) {
    return {
      score: -1,
      detail: `The call of ${toolName} failed.`,
      words: said ?? wordsOf(lineOfError(text)),
    };
  }
  if (isRepeated(observation, context)) {
    return { score: 0, detail: `The same call of ${toolName} as before, with the same result.`, words: null };
  }
  if (NOTHING_FOUND.test(text.trim().slice(0, 200))) {
    return { score: 0, detail: `The call of ${toolName} found nothing.`, words: null };
  }
  return compared ?? { score: null, detail: `${toolName} answered without an error.`, words: said };
}

function looksFailed(text: string): boolean {
  const { lines } = toolOutput(text);
  const spoken = lines.filter((line) => line.trim() !== '');
  const [first = '', last = ''] = [spoken[0]?.trim(), spoken.at(-1)?.trim()];
  return FAILED.test(first) || JSON_ERROR.test(first) || EXIT_CODE.test(first) || EXIT_CODE.test(last);
}

/** A call with the same name, arguments and result stood in the session before. Unknown arguments are no repeat. */
function isRepeated(observation: ToolResultObservation, context: ObservationContext): boolean {
  const command = commandOf(observation, context);
  return context.before.some(
    (earlier) =>
      earlier.kind === 'tool_result' &&
      earlier.callId !== observation.callId &&
      earlier.text === observation.text &&
      commandOf(earlier, context) === command,
  );
}
