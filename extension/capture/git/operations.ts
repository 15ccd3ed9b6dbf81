/** What git did in a repository between two looks, read off HEAD's reflog and the stashes. Pure. */
import type { ReflogEntry } from '../../commit/reflog.ts';

export interface GitState {
  /** HEAD's reflog, newest first. */
  readonly entries: readonly ReflogEntry[];
  /** Newest first. */
  readonly stashes: readonly Stash[];
}

export interface Stash {
  readonly sha: string;
  readonly unixSeconds: number;
}

/** `switch`: another commit is checked out, by a switch, a rebase or whatever moves HEAD to work that was there. */
export type GitOperation =
  | { readonly kind: 'commit' | 'reset' | 'switch' | 'merge'; readonly entry: ReflogEntry }
  | { readonly kind: 'stash'; readonly sha: string };

/** A stash resets the work tree to HEAD as soon as it is put away. */
const STASH_TAKES_SECONDS = 5;

/** Oldest first; stashes come before what moved HEAD. */
export function operationsBetween(before: GitState, now: GitState): GitOperation[] {
  const entries = newEntries(before.entries, now.entries).reverse();
  const isOfStash = (entry: ReflogEntry, stash: Stash): boolean =>
    entry.sha === entry.previous &&
    kindOf(entry) === 'reset' &&
    Math.abs(entry.unixSeconds - stash.unixSeconds) <= STASH_TAKES_SECONDS;
  const known = new Set(before.stashes.map(({ sha }) => sha));
  // One that was seen already may have reset the work tree only now.
  const stashed = now.stashes.filter(
    (stash) => !known.has(stash.sha) || entries.some((entry) => isOfStash(entry, stash)),
  );
  const moved = entries.flatMap((entry): GitOperation[] => {
    const kind = kindOf(entry);
    return kind === null || stashed.some((stash) => isOfStash(entry, stash)) ? [] : [{ kind, entry }];
  });
  return [...stashed.reverse().map(({ sha }): GitOperation => ({ kind: 'stash', sha })), ...moved];
}

/** Enough to know a reflog's beginning again: the same entry can stand in it twice in a second. */
const COMPARED_ENTRIES = 5;

/** Those on top of what was there before, newest first; of a reflog that was rewritten, none. */
function newEntries(before: readonly ReflogEntry[], now: readonly ReflogEntry[]): ReflogEntry[] {
  const known = before.slice(0, COMPARED_ENTRIES);
  if (known.length === 0) return [...now];
  for (let added = 0; added < now.length; added++)
    if (known.every((entry, at) => isSame(entry, now[added + at]))) return now.slice(0, added);
  return [];
}

function isSame(one: ReflogEntry, other: ReflogEntry | undefined): boolean {
  return (
    other !== undefined &&
    one.sha === other.sha &&
    one.unixSeconds === other.unixSeconds &&
    one.subject === other.subject
  );
}

/** Wordings as in git's builtin/checkout.c, reset.c, merge.c, commit.c and sequencer.c. */
const KINDS: readonly (readonly [RegExp, 'commit' | 'reset' | 'switch' | 'merge'])[] = [
  [/^checkout: /, 'switch'],
  [/^reset: /, 'reset'],
  [/^rebase\b/, 'switch'],
  [/^pull\b.*--rebase\b/, 'switch'],
  [/^pull\b.* \((?:start|pick|finish|abort)\)/, 'switch'],
  [/^(?:merge|pull)\b/i, 'merge'],
  [/^cherry-pick:/, 'merge'],
  [/^commit \((?:merge|cherry-pick)\)/, 'merge'],
  [/^(?:commit|revert)\b/, 'commit'],
];

function kindOf({ subject }: ReflogEntry): 'commit' | 'reset' | 'switch' | 'merge' | null {
  return KINDS.find(([pattern]) => pattern.test(subject))?.[1] ?? null;
}

/** The commit that a message says it takes back, whole or abbreviated; null: it takes none back. */
export function revertedBy(message: string): string | null {
  return /^This reverts commit ([0-9a-f]{7,64})\b/m.exec(message)?.[1] ?? null;
}
