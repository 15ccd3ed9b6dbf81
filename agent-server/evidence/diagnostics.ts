/** What a language server says of the lines that a turn touched. */
import type { DiagnosticsObservation } from '../protocol/observations.ts';
import { compareProblems } from './compare-problems.ts';
import type { ObservationContext } from './context.ts';
import { RANK, type Reading } from './reading.ts';

/** Only errors count: what is a warning is a matter of taste and of configuration. */
export function readDiagnostics(
  observation: DiagnosticsObservation,
  proposal: string,
  context: ObservationContext,
): Reading {
  const vanished = observation.vanished.filter((one) => one.severity === 'error');
  const appeared = observation.appeared.filter((one) => one.severity === 'error');
  const moved =
    appeared.length > 0 && appeared.length === vanished.length && sameMessages(appeared, vanished);
  const found = moved
    ? { score: null, detail: 'Errors moved to other lines.', words: null }
    : compareProblems(vanished, appeared, { proposal, context });
  return { source: 'diagnostics', rank: RANK.diagnostics, rewrite: null, ...found };
}

type Diagnostics = DiagnosticsObservation['appeared'];

function sameMessages(some: Diagnostics, others: Diagnostics): boolean {
  const sorted = (list: Diagnostics): string =>
    list
      .map((one) => `${one.path}\n${one.source}\n${one.code}\n${one.message}`)
      .sort()
      .join('\n');
  return sorted(some) === sorted(others);
}
