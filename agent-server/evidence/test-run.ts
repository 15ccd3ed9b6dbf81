/** A run of the tests that an editor or an agent reports as such. */
import type { TestRunObservation } from '../protocol/observations.ts';
import type { ObservationContext } from './context.ts';
import { RANK, type Reading } from './reading.ts';
import { readRun } from './run.ts';
import { beforeTurn, commandOf, factsOf, runBefore } from './run-facts.ts';

/** Compared with the output that came along as `before`; without one, with the session's last run before the turn. */
export function readTestRun(
  observation: TestRunObservation,
  proposal: string,
  context: ObservationContext,
): Reading {
  const facts = factsOf(observation);
  const before =
    observation.before === null
      ? runBefore(commandOf(observation, context), facts, beforeTurn(context, observation.turnId))
      : factsOf({ exitCode: null, output: observation.before });
  const found = readRun({
    now: observation,
    editedSince: observation.editedSince,
    facts,
    before,
    testDiff: observation.testDiff,
    written: [],
    proposal,
    context,
    exitCodeMeans: () => 'verdict',
  });
  return { source: 'test_run', rank: RANK.test_run, rewrite: null, ...found };
}
