/** One repository's watch reports what becomes of a proposal, and nothing else. Real git, no editor. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { z } from 'zod';
import type { Observation } from '../../../agent-server/protocol/observations.ts';
import type { GitRepository } from '../../../extension/commit/git-api.ts';
import { type OpenCommitProposal, RepositoryWatch } from '../../../extension/commit/repository-watch.ts';
import { sampleRepository, silentLog } from './repository.ts';

const TURN = '0d1e6a52-4d1c-4f6e-9d7a-2f6a3d1c9b10';

function watched(t: TestContext, capture: { allowed: boolean } = { allowed: true }) {
  const { root, git } = sampleRepository(t);
  const events = new EventEmitter();
  const reported: z.input<typeof Observation>[] = [];
  const open: OpenCommitProposal[] = [];
  let asked = 0;
  const listen = (name: string) => (listener: () => void) => {
    events.on(name, listener);
    return { dispose: () => events.off(name, listener) };
  };
  const repository = {
    rootUri: { fsPath: root, toString: () => `file://${root}` },
    inputBox: { value: '' },
    state: { HEAD: undefined, onDidChange: listen('state') },
    onDidCommit: listen('commit'),
    status: async () => {},
  };
  const watch = new RepositoryWatch(repository as unknown as GitRepository, {
    git: { path: 'git' },
    cleaning: { clean: async (diff) => diff, scrub: async (text) => text },
    log: silentLog,
    mayCapture: () => capture.allowed,
    openProposals: async () => {
      asked++;
      return [...open];
    },
    report: async (observation) => {
      reported.push(observation);
      events.emit('reported');
    },
    newId: () => crypto.randomUUID(),
    now: () => new Date(),
  });
  t.after(() => watch.dispose());
  const propose = async (turnId: string): Promise<void> => {
    const proposal = { turnId, createdAtMs: Date.now(), head: git('rev-parse', 'HEAD').trim() };
    open.push(proposal);
    await watch.proposed(proposal);
  };
  return { root, git, watch, repository, reported, open, events, propose, asked: () => asked };
}

test('CAP-3: without an open proposal no commit is reported', async (t) => {
  const { git, watch, reported } = watched(t);
  git('commit', '-q', '--allow-empty', '-m', 'private: nobody asked');
  await watch.check();
  assert.deepEqual(reported, []);
});

test('CAP-5: in an untrusted workspace or without consent nothing is read or reported', async (t) => {
  const capture = { allowed: false };
  const { git, watch, reported, propose, asked } = watched(t, capture);
  await propose(TURN);
  git('commit', '-q', '--allow-empty', '-m', 'feat: unseen');
  await watch.check();
  assert.deepEqual(reported, []);
  assert.equal(asked(), 0);
});

test('CAP-3: a commit is reported once, from the editor when the editor made it', async (t) => {
  const { root, git, watch, reported, propose, events } = watched(t);
  await propose(TURN);
  writeFileSync(join(root, 'notes.txt'), 'two\n');
  git('commit', '-qam', 'feat: two');
  const arrived = once(events, 'reported');
  events.emit('commit');
  await arrived;
  await watch.check();
  assert.equal(reported.length, 1);
  assert.partialDeepStrictEqual(reported[0], { kind: 'commit', source: 'editor', message: 'feat: two' });
});

test('CAP-2: the amending of a reported commit follows it after the proposal is settled', async (t) => {
  const { git, watch, reported, propose, open } = watched(t);
  await propose(TURN);
  git('commit', '-q', '--allow-empty', '-m', 'feat: two');
  await watch.check();
  const first = git('rev-parse', 'HEAD').trim();
  open.length = 0;
  git('commit', '-q', '--amend', '--allow-empty', '-m', 'feat: second thoughts');
  git('commit', '-q', '--allow-empty', '-m', 'chore: unrelated');
  await watch.check();
  assert.equal(reported.length, 2);
  assert.partialDeepStrictEqual(reported[1], { kind: 'commit', action: 'amend', replaces: first });
});

test('CAP-6: a second proposal overwrites the first, a commit in between does not', async (t) => {
  const { git, watch, reported, propose } = watched(t);
  const second = '5b0c9a0e-8f53-4b59-8a3b-0c1f6a1e7d22';
  await propose(TURN);
  await propose(second);
  assert.partialDeepStrictEqual(reported, [{ kind: 'proposal_closed', turnId: TURN, reason: 'overwritten' }]);
  git('commit', '-q', '--allow-empty', '-m', 'feat: two');
  await watch.check();
  await propose(TURN);
  assert.deepEqual(
    reported.map(({ kind }) => kind),
    ['proposal_closed', 'commit'],
  );
});

test('CAP-6: a box that stays empty is cleared, unless a commit emptied it', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { git, reported, propose, events, repository } = watched(t);
  repository.inputBox.value = 'feat: proposal';
  await propose(TURN);
  git('commit', '-q', '--allow-empty', '-m', 'feat: taken');
  repository.inputBox.value = '';
  const committed = once(events, 'reported');
  t.mock.timers.tick(6_000);
  await committed;
  assert.equal(reported[0]?.kind, 'commit');

  await propose('5b0c9a0e-8f53-4b59-8a3b-0c1f6a1e7d22');
  const cleared = once(events, 'reported');
  t.mock.timers.tick(6_000);
  await cleared;
  assert.partialDeepStrictEqual(reported[1], { kind: 'proposal_closed', reason: 'cleared' });
});
