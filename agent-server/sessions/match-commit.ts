/**
 * Which proposal a reported commit answers. Pure: the caller reads the candidates and writes the outcome.
 *
 * The strongest sign decides, and among equals the newest proposal:
 *  1. same tree: exactly what was staged was committed;
 *  2. same diff: the same change on another parent, or out of an index that held more;
 *  3. the commit's first parent is the HEAD that the newest proposal was made on, and its message visibly comes
 *     from that proposal: the user staged more or less afterwards, or a hook rewrote the files. Without the
 *     likeness it may be other work, and a wrong correction is worse than a missed one.
 * A proposal that was asked for to amend a commit describes more than is staged: only that amend answers it.
 * An amend first looks for a proposal made on the commit that it replaces, then for the turn that this commit
 * was matched to (a later and better reading of the same turn), then reads as a commit would: the replaced
 * commit was never reported. Whatever git wrote itself (merge, rebase, ...) is no user's wording.
 */
import { chrf } from '../evidence/chrf.ts';
import type { TurnId } from '../protocol/ids.ts';
import type { CommitObservation, TurnSubject } from '../protocol/observations.ts';
import type { ClosedReason } from '../store/types.ts';

export interface CommitCandidate {
  turnId: TurnId;
  subject: Extract<TurnSubject, { kind: 'commit_message' }>;
  proposal: string;
  closed: ClosedReason | null;
  /** Commits matched to this turn before. */
  commits: readonly string[];
}

/** chrF, 0 to 100, from which a message counts as an edit of a proposal; two messages of one author have some 25. */
const LIKENESS = 50;

export type CommitMatch =
  | { kind: 'matched'; turnId: TurnId; by: 'tree' | 'diff' | 'head' | 'amended' }
  | { kind: 'unmatched'; note: string }
  | { kind: 'ignored'; note: string };

/** `candidates` newest first. Those of another repository are passed over. */
export function matchCommit(commit: CommitObservation, candidates: readonly CommitCandidate[]): CommitMatch {
  if (commit.action !== 'commit' && commit.action !== 'amend') {
    return { kind: 'ignored', note: `git wrote it (${commit.action}): not the user's own wording` };
  }
  const here = candidates.filter(({ subject }) => subject.repositoryRoot === commit.repositoryRoot);
  if (here.some(({ commits }) => commits.includes(commit.sha))) {
    return { kind: 'ignored', note: 'this commit was reported before' };
  }
  const open = here.filter(
    ({ closed, commits, subject }) =>
      closed === null &&
      commits.length === 0 &&
      (subject.replaces === null || subject.replaces === commit.replaces),
  );

  if (commit.action === 'amend' && commit.replaces !== null) {
    const { replaces } = commit;
    const made = strongest(
      commit,
      open.filter(({ subject }) => subject.head === replaces),
      replaces,
    );
    if (made !== undefined) return made;
    const amended = here.find(({ commits }) => commits.includes(replaces));
    if (amended !== undefined) return { kind: 'matched', turnId: amended.turnId, by: 'amended' };
  }
  return (
    strongest(commit, open, commit.parents[0] ?? null) ?? {
      kind: 'unmatched',
      note:
        open.length === 0
          ? 'no proposal was open'
          : 'no open proposal has its tree or diff, or its parent and wording',
    }
  );
}

function strongest(
  commit: CommitObservation,
  open: readonly CommitCandidate[],
  head: string | null,
): CommitMatch | undefined {
  const tree = open.find(({ subject }) => subject.stagedTree === commit.tree);
  if (tree !== undefined) return { kind: 'matched', turnId: tree.turnId, by: 'tree' };
  const diff = open.find(({ subject }) => subject.diffSha256 === commit.diffSha256);
  if (diff !== undefined) return { kind: 'matched', turnId: diff.turnId, by: 'diff' };
  const [newest] = open;
  if (newest === undefined || newest.subject.head !== head) return undefined;
  if (chrf(commit.message, newest.proposal) < LIKENESS) return undefined;
  return { kind: 'matched', turnId: newest.turnId, by: 'head' };
}
