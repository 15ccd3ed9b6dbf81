/** The pure parts of what is told of git: paths, operations, what a commit took; and what users throw away. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { gitPath, isOwner } from '../../../../extension/capture/git/in-repository.ts';
import { operationsBetween, revertedBy } from '../../../../extension/capture/git/operations.ts';
import { takenOf } from '../../../../extension/capture/git/taken.ts';
import { FollowedHunks } from '../../../../extension/capture/hunks/followed-hunks.ts';
import { HunkTracker } from '../../../../extension/capture/hunks/hunk-tracker.ts';
import { HunkWatch } from '../../../../extension/capture/hunks/hunk-watch.ts';
import { ThrownAway } from '../../../../extension/capture/hunks/thrown-away.ts';
import type { ReflogEntry } from '../../../../extension/commit/reflog.ts';

describe('GIT-8: a file of a repository', () => {
  it('is named as git names it, with either separator', () => {
    assert.equal(gitPath('/w/a', '/w/a/src/x.ts', path.posix), 'src/x.ts');
    assert.equal(gitPath('/w/a', '/w/ab/x.ts', path.posix), null);
    assert.equal(gitPath('/w/a', '/w/a', path.posix), null);
    assert.equal(gitPath('/w/a', '/w/a/..x.ts', path.posix), '..x.ts');
    assert.equal(gitPath('c:\\w\\a', 'C:\\w\\a\\src\\x.ts', path.win32), 'src/x.ts');
    assert.equal(gitPath('c:\\w\\a', 'd:\\w\\a\\x.ts', path.win32), null);
    assert.equal(gitPath('\\\\host\\share\\a', '\\\\host\\share\\a\\src\\x.ts', path.win32), 'src/x.ts');
  });

  it('belongs to the innermost of those that are open', () => {
    const roots = ['/w', '/w/lib', '/other'];
    const owners = (document: string) => roots.filter((root) => isOwner(root, document, roots, path.posix));
    assert.deepEqual(owners('/w/lib/a.ts'), ['/w/lib']);
    assert.deepEqual(owners('/w/library/a.ts'), ['/w']);
    assert.deepEqual(owners('/x/a.ts'), []);
  });
});

describe('operationsBetween', () => {
  const entry = (sha: string, subject: string, previous: string | null, unixSeconds = 100): ReflogEntry => ({
    sha,
    tree: '',
    parents: [],
    unixSeconds,
    action: null,
    subject,
    message: '',
    previous,
  });
  const before = { entries: [entry('a', 'commit: first', null, 90)], stashes: [] };
  const kinds = (...subjects: string[]) =>
    operationsBetween(before, {
      entries: [...subjects.map((subject) => entry('b', subject, 'a')), ...before.entries],
      stashes: [],
    }).map(({ kind }) => kind);

  it('tells what git calls its commands', () => {
    for (const [subject, kind] of [
      ['commit: add', 'commit'],
      ['commit (amend): add', 'commit'],
      ['commit (merge): Merge branch', 'merge'],
      ['revert: Revert "add"', 'commit'],
      ['checkout: moving from main to side', 'switch'],
      ['rebase (start): checkout main', 'switch'],
      ['rebase -i (fixup): add', 'switch'],
      ['pull --rebase (start): checkout 1234', 'switch'],
      ['pull: Fast-forward', 'merge'],
      ["merge side: Merge made by the 'ort' strategy.", 'merge'],
      ['cherry-pick: add', 'merge'],
      ['reset: moving to HEAD~1', 'reset'],
    ] as const)
      assert.deepEqual(kinds(subject), [kind], subject);
    assert.deepEqual(kinds('branch: Created from main'), []);
    assert.deepEqual(kinds('reset: moving to HEAD~1', 'commit: add'), ['commit', 'reset']);
  });

  it('GIT-6: the reset that ends a stash is the stash, seen with it or after it; another reset is one', () => {
    const stash = { sha: 's', unixSeconds: 100 };
    const reset = entry('a', 'reset: moving to HEAD', 'a', 100);
    const now = { entries: [reset, ...before.entries], stashes: [stash] };
    const stashed = [{ kind: 'stash', sha: 's' }];
    assert.deepEqual(operationsBetween(before, now), stashed);
    assert.deepEqual(operationsBetween({ ...before, stashes: [stash] }, now), stashed);
    const later = { ...reset, unixSeconds: 200 };
    assert.deepEqual(
      operationsBetween({ ...before, stashes: [stash] }, { ...now, entries: [later, ...before.entries] }),
      [{ kind: 'reset', entry: later }],
    );
    assert.deepEqual(operationsBetween(now, now), []);
  });

  it('GIT-3: a message names the commit that it takes back in a line of its own', () => {
    assert.equal(revertedBy(`Revert "add"\n\nThis reverts commit ${'a'.repeat(40)}.\n`), 'a'.repeat(40));
    assert.equal(revertedBy('undo\n\nThis reverts commit abcdef1 (add, 2026-01-01).'), 'abcdef1');
    assert.equal(revertedBy('This reverts commit --output=/etc/passwd'), null);
    assert.equal(revertedBy('Say that "This reverts commit abcdef1" twice'), null);
  });
});

describe('GIT-1: takenOf', () => {
  const span = (text: string, piece: string, from = 0) => {
    const start = text.indexOf(piece, from);
    return { start, end: start + piece.length };
  };

  it('is told by the committed text, CRLF or not, indented or not', () => {
    const proposed = 'const a = 1;\nconst b = 2;';
    const worktree = `x\r\n${proposed.replace('\n', '\r\n')}\r\ny\r\n`;
    const at = span(worktree, 'const a = 1;\r\nconst b = 2;');
    assert.deepEqual(takenOf(proposed, worktree, at, `x\n  ${proposed.replace('\n', '\n  ')}\ny\n`), {
      kind: 'taken',
      share: 1,
      text: null,
    });
    assert.deepEqual(takenOf(proposed, worktree, at, 'x\ny\n'), { kind: 'pending' });
  });

  it('tells whole lines, and none around them', () => {
    const worktree = 'before();\n  const a = one();\nafter();';
    const taken = takenOf('  const a = 1;', worktree, span(worktree, 'a = one()'), worktree);
    assert.deepEqual(taken, { kind: 'taken', share: 0, text: '  const a = one();' });
  });

  it('is pending where the commit has one of two equal places', () => {
    const worktree = 'f();\nlog(a);\ng();\nlog(a);\n';
    const at = span(worktree, 'log(a);', 10);
    assert.equal(takenOf('log(a);', worktree, at, 'f();\nlog(a);\ng();\n').kind, 'pending');
    assert.equal(takenOf('log(a);', worktree, at, worktree).kind, 'taken');
  });
});

describe('CAPTURE-2: what the user throws away', () => {
  const PROPOSED = 'const answer = compute(42);';

  function desk(texts: Record<string, string>) {
    const textOf = (document: string): string | null => texts[document] ?? null;
    const tracker = new HunkTracker();
    const watch = new HunkWatch(tracker, textOf);
    const hunks = new FollowedHunks(tracker, watch, textOf, () => undefined);
    const put = (turnId: string, document: string, edit: number | null = 0): void => {
      const hunk = { id: `${turnId}/${document}`, turnId, edit, proposed: PROPOSED };
      tracker.add(hunk, { document, span: { start: 0, end: PROPOSED.length } });
      watch.arrived(turnId, hunk.id, 0);
    };
    const remove = (document: string, by: 'editor' | 'disk' = 'editor'): void => {
      texts[document] = '';
      tracker.change(document, [{ offset: 0, removed: PROPOSED.length, text: '' }], by);
    };
    return { hunks, tracker, thrown: new ThrownAway(hunks), put, remove };
  }

  it('undone and saved: when all that the turn did is gone, once', () => {
    const { thrown, put, remove } = desk({ a: PROPOSED, b: PROPOSED });
    put('t', 'a');
    put('t', 'b');
    assert.equal(thrown.changed('a', true, 'undo'), 'editor');
    remove('a');
    assert.deepEqual(thrown.saved('a'), []);
    thrown.changed('b', true, 'undo');
    remove('b');
    assert.deepEqual(thrown.saved('b'), ['t']);
    thrown.changed('b', true, 'undo');
    assert.deepEqual(thrown.saved('b'), []);
  });

  it('REVIEW-3: what was accepted in a review is the review’s to take back', () => {
    const { thrown, put, remove } = desk({ a: PROPOSED });
    put('t', 'a', null);
    thrown.changed('a', true, 'undo');
    remove('a');
    assert.deepEqual(thrown.saved('a'), []);
  });

  it('deleted by hand and saved is an edit like another', () => {
    const { thrown, put, remove } = desk({ a: PROPOSED });
    put('t', 'a');
    assert.equal(thrown.changed('a', true, null), 'editor');
    remove('a');
    assert.deepEqual(thrown.saved('a'), []);
  });

  it('a document that is reverted to its file, or closed unsaved; one that the disk changed is neither', () => {
    const { thrown, put } = desk({ a: PROPOSED });
    put('t', 'a');
    assert.equal(thrown.changed('a', false, null), 'disk');
    assert.equal(thrown.changed('a', true, null), 'editor');
    assert.equal(thrown.changed('a', false, null), 'revert');
    assert.equal(thrown.closed('a'), false);
    thrown.changed('a', true, null);
    assert.equal(thrown.closed('a'), true);
    thrown.changed('a', true, null);
    thrown.saved('a');
    assert.equal(thrown.closed('a'), false);
  });

  it('lines that a later turn wrote anew are that turn’s', () => {
    const { hunks, tracker, put } = desk({ a: PROPOSED });
    put('t', 'a');
    hunks.takenOver('a', { start: 5, end: 8 }, new Set(['t']));
    assert.equal(tracker.hunks().length, 1);
    hunks.takenOver('a', { start: PROPOSED.length, end: 99 }, new Set(['u']));
    assert.equal(tracker.hunks().length, 1);
    hunks.takenOver('a', { start: 5, end: 8 }, new Set(['u']));
    assert.deepEqual(tracker.hunks(), []);
  });
});
