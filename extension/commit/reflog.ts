/** Reads git's reflog of HEAD into what made each commit. Pure; running git is left to commit-reader.ts. */
import type { CommitAction } from '../../agent-server/protocol/observations.ts';

/** Fields end with NUL, which no part of a commit may contain. */
export const REFLOG_FORMAT = ['%H', '%T', '%P', '%gd', '%gs', '%B'].map((field) => `${field}%x00`).join('');
const FIELDS = 6;

export interface ReflogEntry {
  sha: string;
  tree: string;
  parents: string[];
  /** When HEAD moved here, in seconds since 1970; git takes it from the committer's clock. */
  unixSeconds: number;
  /** Null: HEAD only moved (checkout, reset, fast-forward), no commit was made. */
  action: CommitAction | null;
  /** What git says it did: `commit: Add a total`, `checkout: moving from main to side`. */
  subject: string;
  message: string;
  /** Where HEAD was before; null for the oldest entry read. */
  previous: string | null;
}

/** `text` is `git log --walk-reflogs --date=unix --format=REFLOG_FORMAT`, newest first; so is the result. */
export function parseReflog(text: string): ReflogEntry[] {
  const fields = text.split('\0');
  const entries: ReflogEntry[] = [];
  for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
    const [sha = '', tree = '', parents = '', selector = '', subject = '', message = ''] = fields.slice(
      at,
      at + FIELDS,
    );
    entries.push({
      sha: sha.trim(),
      tree,
      parents: parents.split(' ').filter((parent) => parent !== ''),
      unixSeconds: Number(/\{(\d+)\}$/.exec(selector)?.[1] ?? 0),
      action: actionOf(subject),
      subject,
      message,
      previous: fields[at + FIELDS]?.trim() || null,
    });
  }
  return entries;
}

const ACTIONS: readonly (readonly [RegExp, CommitAction | null])[] = [
  [/^commit \(amend\)/, 'amend'],
  [/^commit \(merge\)/, 'merge'],
  [/^commit \(cherry-pick\)/, 'cherry-pick'],
  [/^commit( \(initial\))?:/, 'commit'],
  [/^commit\b/, 'other'],
  [/^rebase\b.*\((squash|fixup)\)/, 'squash'],
  [/^rebase\b.*\((start|finish|abort)\)/, null],
  [/^rebase\b/, 'rebase'],
  [/^cherry-pick:/, 'cherry-pick'],
  [/^revert:/, 'revert'],
  [/^(merge|pull)\b.*: Fast-forward/i, null],
  [/^(merge|pull)\b.*: Merge made/, 'merge'],
];

/** The action that a reflog subject names. Wordings as in git's builtin/commit.c, sequencer.c and merge.c. */
function actionOf(subject: string): CommitAction | null {
  return ACTIONS.find(([pattern]) => pattern.test(subject))?.[1] ?? null;
}

/**
 * The entries made since a proposal, oldest first: all that came after the entry that was HEAD then. The time
 * tells two visits to the same commit apart.
 */
export function entriesSince(
  entries: readonly ReflogEntry[],
  proposal: { head: string | null; createdAtMs: number },
): ReflogEntry[] {
  const end = entries.findIndex(
    (entry) => entry.sha === proposal.head && entry.unixSeconds * 1000 <= proposal.createdAtMs,
  );
  return (end === -1 ? entries.slice() : entries.slice(0, end)).reverse();
}
