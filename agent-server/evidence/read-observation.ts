/**
 * What an observation says, read without a model: the one entry for the judge. Which turn the observation
 * belongs to has been settled before (sessions/); what the readings of a turn add up to comes after (judge/).
 */
import type { Observation } from '../protocol/observations.ts';
import { readCommit } from './commit.ts';
import { type ObservationContext, UNKNOWN_CONTEXT } from './context.ts';
import type { Reading } from './reading.ts';
import { readThumb } from './thumb.ts';
import { readUserEdit } from './user-edit.ts';

/** Reads one observation against the text that the turn proposed. Null: it is no next state. */
export function readObservation(
  observation: Observation,
  proposal: string,
  _context: ObservationContext = UNKNOWN_CONTEXT,
): Reading | null {
  switch (observation.kind) {
    case 'commit':
      return readCommit(observation, proposal);
    case 'thumb':
      return readThumb(observation);
    case 'user_edit':
      return readUserEdit(observation, proposal);
    default:
      return null;
  }
}
