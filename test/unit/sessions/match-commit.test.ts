/** Which proposal a commit answers, case by case. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommitObservation } from '../../../agent-server/protocol/observations.ts';
import { type CommitCandidate, matchCommit } from '../../../agent-server/sessions/match-commit.ts';
import { commit, commitSubject, newTurnId, sha, sha256 } from '../../fixtures/records.ts';

type Fields = Partial<CommitCandidate['subject']> &
  Partial<Pick<CommitCandidate, 'closed' | 'commits' | 'proposal'>>;

function candidate({
  closed = null,
  commits = [],
  proposal = 'feat: add parser',
  ...subject
}: Fields = {}): CommitCandidate {
  return { turnId: newTurnId(), subject: commitSubject(subject), proposal, closed, commits };
}

/** Subjects that share nothing with the standard commit but the repository. */
const OTHER = { stagedTree: sha('other tree'), diffSha256: sha256('other diff'), head: sha('other head') };
const SAME_TREE = { ...OTHER, stagedTree: sha('tree') };
const SAME_DIFF = { ...OTHER, diffSha256: sha256('diff') };
const SAME_HEAD = { ...OTHER, head: sha('head') };

interface Case {
  name: string;
  commit?: Partial<CommitObservation>;
  /** Newest first. */
  candidates: Fields[];
  /** Index of the candidate and the sign, or why not. */
  expected: [number, string] | 'unmatched' | 'ignored';
}

const amend = { action: 'amend', replaces: sha('replaced'), sha: sha('amended') } as const;

const CASES: Case[] = [
  { name: 'the staged tree was committed', candidates: [SAME_TREE], expected: [0, 'tree'] },
  {
    name: 'an older proposal with the tree wins over a newer one with the diff',
    candidates: [SAME_DIFF, SAME_TREE],
    expected: [1, 'tree'],
  },
  { name: 'the same diff on another parent', candidates: [OTHER, SAME_DIFF], expected: [1, 'diff'] },
  { name: 'more was staged afterwards', candidates: [SAME_HEAD], expected: [0, 'head'] },
  {
    name: 'other work was committed on the same HEAD',
    candidates: [{ ...SAME_HEAD, proposal: 'docs: describe the table' }],
    expected: 'unmatched',
  },
  {
    name: 'only the newest proposal may be claimed by HEAD',
    candidates: [OTHER, SAME_HEAD],
    expected: 'unmatched',
  },
  {
    name: 'the first commit of a repository',
    commit: { parents: [] },
    candidates: [{ ...OTHER, head: null }],
    expected: [0, 'head'],
  },
  {
    name: 'two proposals for the same tree: the newest',
    candidates: [SAME_TREE, SAME_TREE],
    expected: [0, 'tree'],
  },
  { name: 'another repository', candidates: [{ repositoryRoot: '/elsewhere' }], expected: 'unmatched' },
  { name: 'a proposal that was cleared', candidates: [{ closed: 'cleared' }], expected: 'unmatched' },
  {
    name: 'a proposal that was committed before',
    candidates: [{ commits: [sha('earlier')] }],
    expected: 'unmatched',
  },
  { name: 'no proposal at all', candidates: [], expected: 'unmatched' },
  {
    name: 'a tree that could not be had equals nothing',
    commit: { diffSha256: null },
    candidates: [{ ...OTHER, stagedTree: null }],
    expected: 'unmatched',
  },
  {
    name: 'the same commit seen by a second window',
    candidates: [{}, { commits: [sha('commit')] }],
    expected: 'ignored',
  },
  {
    name: 'an amend of a matched commit',
    commit: { ...amend, tree: sha('amended tree') },
    candidates: [{ ...OTHER, commits: [sha('replaced')] }],
    expected: [0, 'amended'],
  },
  {
    name: 'a new commit of the tree that a message was asked for to amend the last one',
    candidates: [{ ...SAME_TREE, head: sha('head'), replaces: sha('head') }],
    expected: 'unmatched',
  },
  {
    name: 'an amend that a message was asked for, before the turn of the commit that it replaces',
    commit: amend,
    candidates: [
      { ...SAME_TREE, head: sha('replaced'), replaces: sha('replaced') },
      { ...OTHER, commits: [sha('replaced')] },
    ],
    expected: [0, 'tree'],
  },
  {
    name: 'the amend of another commit than the one that a message was asked for',
    commit: amend,
    candidates: [{ ...SAME_TREE, head: sha('other'), replaces: sha('other') }],
    expected: 'unmatched',
  },
  {
    name: 'an amend with a proposal made for it',
    commit: amend,
    candidates: [
      { ...OTHER, head: sha('replaced') },
      { ...OTHER, commits: [sha('replaced')] },
    ],
    expected: [0, 'head'],
  },
  {
    name: 'an amend with a proposal made for it, known by its tree',
    commit: amend,
    candidates: [
      { ...OTHER, head: sha('replaced') },
      { ...SAME_TREE, head: sha('replaced') },
    ],
    expected: [1, 'tree'],
  },
  {
    name: 'an amend of a commit that was never reported',
    commit: amend,
    candidates: [SAME_TREE],
    expected: [0, 'tree'],
  },
  {
    name: 'an amend of an amend',
    commit: { ...amend, replaces: sha('second') },
    candidates: [{ ...OTHER, commits: [sha('first'), sha('second')] }],
    expected: [0, 'amended'],
  },
  {
    name: 'an amend while a proposal for other work is open',
    commit: { ...amend, parents: [sha('grandparent')], tree: sha('x'), diffSha256: null },
    candidates: [
      { ...OTHER, head: sha('unrelated') },
      { ...OTHER, commits: [sha('replaced')] },
    ],
    expected: [1, 'amended'],
  },
];

describe('matchCommit', () => {
  for (const { name, commit: fields = {}, candidates, expected } of CASES) {
    it(`ENV-1: ${name}`, () => {
      const made = candidates.map(candidate);
      const match = matchCommit(commit(fields), made);
      if (typeof expected === 'string') return assert.equal(match.kind, expected);
      const [index, by] = expected;
      assert.deepEqual(match, { kind: 'matched', turnId: made[index]?.turnId, by });
    });
  }

  for (const action of ['squash', 'merge', 'rebase', 'cherry-pick', 'revert', 'other'] as const) {
    it(`ENV-2: a ${action} is never a next state`, () => {
      assert.equal(matchCommit(commit({ action }), [candidate()]).kind, 'ignored');
    });
  }
});
