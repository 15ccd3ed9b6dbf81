/** Commands in a terminal, and tasks of the editor. */
import type { TaskObservation, TerminalObservation } from '../protocol/observations.ts';
import { exitCodeMeans } from './command-line.ts';
import type { ObservationContext } from './context.ts';
import { RANK, type Reading } from './reading.ts';
import { readRun } from './run.ts';
import { beforeTurn, commandOf, factsOf, runBefore } from './run-facts.ts';
import { testEdits } from './tool-edits.ts';

/**
 * Compared with the run that came along as `before`; without one, with the session's last run of the same command (of
 * tests: that ran the same ones). What users run, they run after the turn: then it is the last run before the turn.
 */
export function readTerminal(
  observation: TerminalObservation | TaskObservation,
  proposal: string,
  context: ObservationContext,
): Reading {
  const facts = factsOf(observation);
  const ownRun = observation.kind === 'terminal' && observation.source === 'agent';
  const earlier = ownRun ? context : beforeTurn(context, observation.turnId);
  const { diff, written } = testEdits(context, null, null);
  const found = readRun({
    now: observation,
    editedSince: observation.editedSince,
    facts,
    before:
      observation.before === null
        ? runBefore(commandOf(observation, context), facts, earlier)
        : factsOf(observation.before),
    testDiff: diff === '' ? null : diff,
    written,
    proposal,
    context,
    exitCodeMeans: (exitCode) =>
      observation.kind === 'task'
        ? 'verdict'
        : exitCodeMeans(observation.commandLine, exitCode, observation.source),
  });
  return { source: observation.kind, rank: RANK[observation.kind], rewrite: null, ...found };
}
