/** STORE-6: a store of the first format, with a user's work in it, is brought up to date at its opening and goes on. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { environmentWork } from '../../../agent-server/loops/environment-loop.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { TurnQuery } from '../../../agent-server/protocol/turns.ts';
import { MIGRATIONS } from '../../../agent-server/store/schema.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import {
  beginBatch,
  commit,
  commitSubject,
  corrected,
  made,
  newSampleId,
  newTurnId,
  sample,
  sha256,
  T0,
} from '../../fixtures/records.ts';

const [open, judged, learnt] = [newTurnId(), newTurnId(), newTurnId()];
const [ready, trained] = [newSampleId(), newSampleId()];
const reported = commit();

/** Three turns as format 1 kept them: one open with its commit reported, one judged, one learnt by policy@v1. */
function formatOne(file: string): void {
  const db = new DatabaseSync(file);
  db.exec(MIGRATIONS[0] ?? '');
  db.exec('PRAGMA user_version = 1');
  db.exec(`INSERT INTO settings VALUES ('learning', 'on')`);
  db.exec(`INSERT INTO sessions VALUES ('session', ${T0})`);
  const turn = db.prepare(
    `INSERT INTO turns(turn_id, session_id, kind, learnable, state, created_at_ms, finished_at_ms, messages, prompt_ids,
       version, subject, response_ids, behaviour_logprobs, text, finish_reason, answered_by)
     VALUES (?, 'session', 'main', 1, ?, ?, ?, ?, ?, 'policy@v0', ?, ?, ?, 'fix: answer', 'stop', 'policy@v0')`,
  );
  const messages = JSON.stringify([{ role: 'user', content: 'Write the message.' }]);
  const ids = new Uint8Array(Int32Array.of(1, 2).buffer);
  const logprobs = new Uint8Array(Float64Array.of(-0.5, -0.25).buffer);
  for (const [id, state] of [
    [judged, 'settled'],
    [learnt, 'settled'],
    [open, 'open'],
  ] as const)
    turn.run(id, state, T0, T0 + 1, messages, ids, JSON.stringify(commitSubject()), ids, logprobs);
  db.prepare(
    `INSERT INTO observations(observation_id, kind, body, received_at_ms, state) VALUES (?, 'commit', ?, ?, 'queued')`,
  ).run(reported.observationId, JSON.stringify(reported), T0 + 2);
  const batchId = randomUUID();
  db.prepare(`INSERT INTO batches VALUES (?, 'policy@v1', 'policy@v0', 'trained', ?, NULL, 1, NULL)`).run(
    batchId,
    T0,
  );
  for (const [turnId, sampleId, state, batch] of [
    [judged, ready, 'ready', null],
    [learnt, trained, 'trained', batchId],
  ] as const) {
    db.prepare(`INSERT INTO verdicts VALUES (?, -1, 'evidence:commit', ?)`).run(turnId, T0);
    db.prepare(
      `INSERT INTO evidence(turn_id, source, score, rank, detail) VALUES (?, 'commit', -1, 50, 'rewritten')`,
    ).run(turnId);
    db.prepare(`INSERT INTO hints VALUES (?, 'rewrite', 'feat: add a parser')`).run(turnId);
    db.prepare(`INSERT INTO samples VALUES (?, ?, -1, 'rewrite', 'feat: add a parser', ?, ?, ?)`).run(
      sampleId,
      turnId,
      state,
      T0,
      batch,
    );
  }
  db.prepare(`INSERT INTO batch_samples VALUES (?, ?, 'new')`).run(batchId, trained);
  db.exec(`UPDATE versions SET state = 'retired'`);
  db.prepare(
    `INSERT INTO versions VALUES ('policy@v1', 'policy@v0', 'serving', ?, '/adapters/policy@v1', ?, NULL, ?, ?)`,
  ).run(batchId, sha256('adapter'), T0 + 3, T0 + 4);
  db.close();
}

it('STORE-6: what format 1 kept is all there, and learning goes on from it', async () => {
  const file = join(temporaryFolder(), 'store.sqlite');
  formatOne(file);
  const { store, fresh, setAside } = await openStore(file);
  assert.deepEqual([fresh, setAside], [false, null]);
  assert.equal(store.learning(), 'on');
  assert.equal(store.serving(), 'policy@v1');
  assert.deepEqual(store.turn(judged)?.response?.behaviourLogprobs, [-0.5, -0.25]);
  assert.equal(store.verdict(learnt)?.hint?.text, 'feat: add a parser');
  assert.equal(store.sample(trained)?.state, 'trained');
  assert.deepEqual(
    store.readySamples(10).map(({ sampleId }) => sampleId),
    [ready],
  );
  assert.deepEqual(store.doneCounts(), { serve: 3, environment: 0, judge: 2, train: 1 });
  assert.equal(store.queueLengths(T0).observations, 1);
  assert.equal(store.panelTurns(10).length, 3);
  assert.equal(store.turnPage(TurnQuery.parse({})).total, 3);
  assert.equal(store.panelVersions(10)[0]?.sampleCount, 1);
  assert.equal(store.curve(10).length, 2);

  const work = environmentWork(store);
  const item = work.next(T0 + 5);
  assert.ok(item?.kind === 'observation');
  work.handleNow?.(item, T0 + 5);
  assert.deepEqual(
    store.dueTurns(T0 + 100_000, 10).map(({ turnId }) => turnId),
    [open],
  );
  const next = sample(open);
  store.recordVerdict(corrected(open, 'feat: add a parser'), next);
  const batchId = beginBatch(store, [ready, next.sampleId], [trained]);
  store.completeBatch(batchId, made(weightVersion(2)));
  assert.equal(store.sample(next.sampleId)?.state, 'trained');
  assert.equal(store.doneCounts().environment, 1);
  store.close();
});
