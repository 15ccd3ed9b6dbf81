/**
 * What an observation says, read without a model: the one entry for the judge. Which turn the observation
 * belongs to has been settled before (sessions/); what the readings of a turn add up to comes after (judge/).
 */
import type { Observation } from '../protocol/observations.ts';
import { readCommit } from './commit.ts';
import { type ObservationContext, UNKNOWN_CONTEXT } from './context.ts';
import { readDiagnostics } from './diagnostics.ts';
import { readGit } from './git.ts';
import { readPatchReview } from './patch-review.ts';
import { RANK, type Reading } from './reading.ts';
import { readTerminal } from './terminal.ts';
import { readTestRun } from './test-run.ts';
import { readThumb } from './thumb.ts';
import { readToolResult } from './tool-result.ts';
import { readUserEdit } from './user-edit.ts';

/** Reads one observation against the text that the turn proposed. Null: it is no next state. */
export function readObservation(
  observation: Observation,
  proposal: string,
  context: ObservationContext = UNKNOWN_CONTEXT,
): Reading | null {
  switch (observation.kind) {
    case 'commit':
      return readCommit(observation, proposal);
    case 'thumb':
      return readThumb(observation);
    case 'user_edit':
      return readUserEdit(observation, proposal, context);
    case 'patch_review':
      return readPatchReview(observation, proposal, context.toolCalls);
    case 'git':
      return readGit(observation);
    case 'test_run':
      return readTestRun(observation, proposal, context);
    case 'terminal':
    case 'task':
      return readTerminal(observation, proposal, context);
    case 'diagnostics':
      return readDiagnostics(observation, proposal, context);
    case 'tool_result':
      return readToolResult(observation, proposal, context);
    case 'user_reply':
      return forJudge('user_reply', 'The user answered.');
    case 'screen':
      return forJudge('screen', 'The screen afterwards.');
    case 'proposal_closed':
      return null;
  }
}

/** Only reading it with understanding tells what it says. */
function forJudge(source: 'user_reply' | 'screen', detail: string): Reading {
  return { source, score: null, rank: RANK[source], detail, rewrite: null, words: null };
}
