import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanMessage } from '../../../agent-server/evidence/commit-message.ts';
import { readObservation } from '../../../agent-server/evidence/read-observation.ts';
import {
  type CommitAction,
  CommitObservation,
  ThumbObservation,
} from '../../../agent-server/protocol/observations.ts';

const commit = (message: string, action: CommitAction = 'commit'): CommitObservation =>
  CommitObservation.parse({
    kind: 'commit',
    observationId: '6a1f7f5e-1d0a-4a60-9f3e-000000000001',
    observedAt: '2026-01-01T00:00:00Z',
    source: 'terminal',
    repositoryRoot: '/repo',
    sha: 'a'.repeat(40),
    tree: 'b'.repeat(40),
    parents: [],
    action,
    message,
    replaces: null,
    diffSha256: null,
  });

test('EVID-1: a message committed as proposed, after trimming, is accepted', () => {
  const proposal = 'fix: close the file\n\nIt leaked.';
  for (const message of [
    proposal,
    'fix: close the file  \r\n\r\nIt leaked.\r\n',
    `\n${proposal}\n\n# Please enter the commit message for your changes.\n#\n# On branch main\n`,
    `${proposal}\n# ------------------------ >8 ------------------------\ndiff --git a/x b/x\n`,
    `${proposal}\n\nSigned-off-by: A <a@b.c>\nChange-Id: I01\n`,
  ]) {
    const reading = readObservation(commit(message), proposal);
    assert.equal(reading?.score, 1, JSON.stringify(message));
    assert.equal(reading.rewrite, null);
  }
});

test('EVID-2: a message that the user changed is the correction', () => {
  const reading = readObservation(commit('fix: close it\n\n# comment\n'), 'Fix bug.');
  assert.equal(reading?.score, -1);
  assert.equal(reading.rewrite, 'fix: close it');
  assert.equal(readObservation(commit('Better words', 'amend'), 'Fix bug.')?.rewrite, 'Better words');
  assert.equal(readObservation(commit('#12 fix it'), 'Fix bug.')?.rewrite, '#12 fix it');
});

test('EVID-3: what git worded, or what bundles commits, has no score', () => {
  for (const action of ['squash', 'merge', 'rebase', 'cherry-pick', 'revert', 'other'] as const) {
    const reading = readObservation(commit('Anything', action), 'Fix bug.');
    assert.deepEqual([reading?.score, reading?.rewrite], [null, null], action);
  }
  assert.equal(readObservation(commit('  \n# only a comment\n'), 'Fix bug.')?.score, null);
});

test('EVID-3: a note to a later squash, and a message that git collected, have no score', () => {
  for (const message of [
    'fixup! add a parser',
    'squash! add a parser\n\nmore',
    'amend! add a parser',
    'Squashed commit of the following:\n\ncommit 1234',
  ]) {
    const reading = readObservation(commit(message), 'Fix bug.');
    assert.deepEqual([reading?.score, reading?.rewrite], [null, null], message);
  }
});

test('EVID-4: a thumb outranks a commit', () => {
  const thumb = ThumbObservation.parse({
    kind: 'thumb',
    observationId: '6a1f7f5e-1d0a-4a60-9f3e-000000000002',
    observedAt: '2026-01-01T00:00:00Z',
    turnId: '6a1f7f5e-1d0a-4a60-9f3e-000000000003',
    value: -1,
  });
  const read = readObservation(thumb, 'x');
  assert.equal(read?.score, -1);
  assert.ok(read.rank > (readObservation(commit('x'), 'x')?.rank ?? Number.POSITIVE_INFINITY));
});

test('a message that is all sign-off stays what it is', () => {
  assert.equal(cleanMessage('Signed-off-by: A <a@b.c>'), 'Signed-off-by: A <a@b.c>');
});
