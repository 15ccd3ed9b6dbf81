/** Taking observations in: together, each with its own answer, and never acknowledged before they are kept. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createIntake } from '../../../agent-server/lsp/intake.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { MAX_QUEUED_OBSERVATIONS } from '../../../agent-server/store/observations.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { newTurnId, T0, thumb } from '../../fixtures/records.ts';

describe('Intake', () => {
  it('LOAD-1: many at once share transactions, and each hears of its own', async (t) => {
    const { store } = await openStore(':memory:');
    t.after(() => store.close());
    let transactions = 0;
    store.onChange(() => {
      transactions += 1;
    });
    const intake = createIntake(store);
    const seen = Array.from({ length: 200 }, () => thumb(newTurnId(), 1));
    const [first] = seen;
    assert.ok(first);
    const answers = await Promise.all([...seen, first].map((observation) => intake(observation, T0)));
    assert.deepEqual([...new Set(answers.slice(0, 200))], ['added']);
    assert.equal(answers[200], 'duplicate');
    assert.equal(store.queueLengths(T0).observations, 200);
    assert.ok(transactions < 20, `${transactions} transactions`);
  });

  it('LOAD-2: a full queue refuses what is new by name, and nothing else that came with it', async (t) => {
    const { store } = await openStore(':memory:');
    t.after(() => store.close());
    const intake = createIntake(store);
    const taken = Array.from({ length: MAX_QUEUED_OBSERVATIONS - 1 }, () => thumb(newTurnId(), 1));
    store.together(() => {
      for (const observation of taken) store.addObservation(observation, T0);
    });
    const [last, over] = [thumb(newTurnId(), 1), thumb(newTurnId(), 1)];
    const [known] = taken;
    assert.ok(known);
    const results = await Promise.allSettled(
      [last, over, known].map((observation) => intake(observation, T0)),
    );
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
      ['added', 'queue_full', 'duplicate'],
    );
    store.setAside(known.observationId, 'ignored', 'read');
    assert.equal(await intake(over, T0), 'added', 'sent again when there is room');
  });

  it('DISK-1: what a commit did not keep is not acknowledged', async () => {
    const full = new ApprenticeError('disk_full', 'The disk is full.', '');
    const intake = createIntake({
      addObservation: () => 'added',
      together: () => {
        throw full;
      },
    });
    await assert.rejects(intake(thumb(newTurnId(), 1), T0), full);
  });
});
