/** Turns reflog entries into commit observations: reads the diff, gives an id that any window would give. */
import type { SimpleGit } from 'simple-git';
import type { z } from 'zod';
import { diffSha256 } from '../../agent-server/environment/commit-message.ts';
import { CommitObservation } from '../../agent-server/protocol/observations.ts';
import { stableObservationId } from '../capture/stable-id.ts';
import { commitDiff, type DiffPlace } from './git.ts';
import { parseReflog, REFLOG_FORMAT, type ReflogEntry } from './reflog.ts';

/** More commits than this between two looks are left unread. */
const MAX_ENTRIES = 200;
const MAX_MESSAGE_CHARS = 65_536;

/** HEAD's reflog, newest first. */
export async function readReflog(git: SimpleGit): Promise<ReflogEntry[]> {
  const options = [`--max-count=${MAX_ENTRIES}`, '--date=unix', `--format=${REFLOG_FORMAT}`];
  return parseReflog(await git.raw(['log', '--walk-reflogs', ...options, 'HEAD']));
}

export type CommitEntry = ReflogEntry & { action: NonNullable<ReflogEntry['action']> };

export function isCommit(entry: ReflogEntry): entry is CommitEntry {
  return entry.action !== null;
}

/** What the agent-server is told of one commit. */
export async function commitObservation(
  place: DiffPlace,
  repositoryRoot: string,
  entry: CommitEntry,
  source: z.infer<typeof CommitObservation>['source'],
  observedAt: Date,
): Promise<z.infer<typeof CommitObservation>> {
  return CommitObservation.parse({
    kind: 'commit',
    observationId: commitObservationId(repositoryRoot, entry),
    observedAt: observedAt.toISOString(),
    source,
    repositoryRoot,
    sha: entry.sha,
    tree: entry.tree,
    parents: entry.parents,
    action: entry.action,
    message: (await place.scrub(entry.message.trimEnd())).slice(0, MAX_MESSAGE_CHARS),
    replaces: entry.action === 'amend' ? entry.previous : null,
    diffSha256: diffSha256(await commitDiff(place, entry.sha, entry.parents[0] ?? null)),
  });
}

/** Of the commit itself, so that two windows report it once. */
export function commitObservationId(repositoryRoot: string, { sha, action }: ReflogEntry): string {
  return stableObservationId(repositoryRoot, sha, String(action));
}
