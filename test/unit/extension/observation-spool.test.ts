/** Observations wait for the agent-server, survive a restart of the window and are bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { Observation } from '../../../agent-server/protocol/observations.ts';
import { ObservationSpool } from '../../../extension/capture/observation-spool.ts';
import { silentLog } from './repository.ts';

const thumb = (): Observation =>
  Observation.parse({
    kind: 'thumb',
    observationId: crypto.randomUUID(),
    observedAt: new Date().toISOString(),
    turnId: crypto.randomUUID(),
    value: 1,
  });

function memory() {
  const values = new Map<string, unknown>();
  return {
    get: (key: string) => values.get(key),
    update: async (key: string, value: unknown) => void values.set(key, structuredClone(value)),
  };
}

const away = async () => {
  throw new ApprenticeError('worker_unavailable', 'Nobody there.', '');
};

test('CAP-7: what was kept while the server was away is sent in order by the next window, once', async () => {
  const kept = memory();
  const first = thumb();
  const second = thumb();
  const before = new ObservationSpool(kept, away, silentLog);
  await before.add(first);
  await before.add(second);
  await before.add(first);
  await before.flush();

  const sent: Observation[] = [];
  const after = new ObservationSpool(kept, async (observation) => sent.push(observation), silentLog);
  await after.flush();
  assert.deepEqual(sent, [first, second]);
  assert.equal(new ObservationSpool(kept, away, silentLog).size, 0);
});

test('CAP-7: at most 200 wait, the newest ones', async () => {
  const spool = new ObservationSpool(memory(), away, silentLog);
  for (let n = 0; n < 205; n++) await spool.add(thumb());
  assert.equal(spool.size, 200);
});

test('CAP-7: an observation that the server refuses for good makes way for the next', async () => {
  const refused = thumb();
  const sent: Observation[] = [];
  const send = async (observation: Observation) => {
    if (observation.observationId === refused.observationId) {
      throw new ApprenticeError('not_found', 'No such turn.', '');
    }
    sent.push(observation);
  };
  const spool = new ObservationSpool(memory(), send, silentLog);
  const good = thumb();
  await spool.add(refused);
  await spool.add(good);
  await spool.flush();
  assert.deepEqual(sent, [good]);
  assert.equal(spool.size, 0);
});

test('CAP-7: what a full queue refuses is kept and sent again, after a while and by itself', async () => {
  const kept = memory();
  const waits = [thumb(), thumb()];
  const sent: Observation[] = [];
  const all = Promise.withResolvers<void>();
  let full = 2;
  const send = async (observation: Observation) => {
    if (full-- > 0) throw new ApprenticeError('queue_full', '10,000 observations wait already.', '');
    sent.push(observation);
    if (sent.length === waits.length) all.resolve();
  };
  const spool = new ObservationSpool(kept, send, silentLog);
  for (const observation of waits) await spool.add(observation);
  await all.promise;
  await spool.flush();
  assert.deepEqual(sent, waits);
  assert.equal(spool.size, 0);
  spool.dispose();
});
