/** What is told of batches of several samples, over restarts, of failures and of what was undone; over a real store. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { it, type TestContext } from 'node:test';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { BatchId, type SampleId, type TurnId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import type { GateFigures } from '../../../agent-server/protocol/promotion.ts';
import { BATCH_FORMAT, type BatchManifest } from '../../../agent-server/protocol/training.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import { TelemetryConfig } from '../../../agent-server/telemetry/config.ts';
import { openTelemetry } from '../../../agent-server/telemetry/telemetry.ts';
import { type OtlpReceiver, otlpReceiver } from '../../fixtures/otlp-receiver.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  learn,
  made,
  readySample,
  sample,
  sha256,
  T0,
  thumb,
} from '../../fixtures/records.ts';

const ERROR = 2;
const FIGURES: GateFigures = {
  turns: 4,
  heldOut: 2,
  meanDifference: -0.2,
  lowerBound: -0.4,
  confidence: 0.9,
  margin: 0.1,
  driftNats: null,
  servingDriftNats: null,
  maxDriftNats: 0.1,
  scoredTokens: 100,
  seconds: 2,
};

async function emptyStore(t: TestContext): Promise<Store> {
  const { store } = await openStore(':memory:', T0);
  store.setLearning('on');
  t.after(() => store.close());
  return store;
}

/** A turn that somebody said something of, judged. */
function correction(store: Store): { turnId: TurnId; sampleId: SampleId } {
  const turnId = answeredTurn(store, { subject: { kind: 'chat' } });
  const observation = thumb(turnId, -1);
  store.addObservation(observation, T0 + 90_500);
  store.attach(observation.observationId, turnId, 'thumb', T0 + 90_000, T0 + 91_000);
  const ready = sample(turnId);
  store.recordVerdict(corrected(turnId, 'otherwise'), ready);
  return { turnId, sampleId: ready.sampleId };
}

function manifestOf(store: Store, batchId: BatchId): BatchManifest {
  const batch = store.batch(batchId);
  assert.ok(batch);
  const { hyperparameters } = LearningConfig.parse({});
  const { version, parent } = batch;
  const rows = [{ sampleId: null, role: 'anchor', origin: 'anchor' } as const];
  return {
    format: BATCH_FORMAT,
    batchId,
    parent,
    version,
    rows,
    hyperparameters,
    tensorsSha256: sha256('tensors'),
  };
}

const traced = ({ endpoint }: Pick<OtlpReceiver, 'endpoint'>) =>
  TelemetryConfig.parse({ traces: { endpoint } });

it('TRACE-2, TRACE-3: each of several corrections has the whole chain, also where the process ended in between', async (t) => {
  const receiver = await otlpReceiver(t);
  const opened = await emptyStore(t);
  const warn = (message: string) => assert.fail(message);
  const before = await openTelemetry(traced(receiver), opened, { warn }, () => T0 + 100_000);
  const two = [correction(before.store), correction(before.store)];
  const batchId = beginBatch(
    before.store,
    two.map(({ sampleId }) => sampleId),
  );
  before.store.setManifest(batchId, manifestOf(opened, batchId));
  await before.close();

  const after = await openTelemetry(traced(receiver), opened, { warn }, () => T0 + 200_000);
  const { version } = after.store.submitBatch(batchId);
  after.store.completeBatch(batchId, made(version));
  after.store.promote(version, 'better', T0 + 200_000);
  const failed = correction(after.store);
  after.store.failBatch(beginBatch(after.store, [failed.sampleId]), 'no reason that is told');
  const turns = two.map(({ turnId }) => ({ turnId, role: 'request' as const }));
  const distilled = BatchId.parse(randomUUID());
  after.store.beginBatch({
    batchId: distilled,
    kind: 'distillation',
    version: after.store.nextVersion(),
    parent: after.store.serving(),
    newSamples: [],
    replaySamples: [],
    turns,
    createdAtMs: T0,
  });
  after.store.setManifest(distilled, manifestOf(opened, distilled));
  await after.close();

  const { spans } = receiver;
  const named = (name: string, traceId?: string) =>
    spans.filter((span) => span.name === name && (traceId ?? span.traceId) === span.traceId);
  const chains = named('promote');
  assert.equal(chains.length, 2);
  for (const { traceId } of chains) {
    const chain = ['observation', 'judge', 'sample', 'batch', 'train', 'gate', 'promote'].flatMap((name) =>
      named(name, traceId),
    );
    assert.deepEqual(
      chain.map(({ parentSpanId = '' }) => parentSpanId),
      ['', ...chain.slice(0, -1).map(({ spanId }) => spanId)],
    );
    const other = named('sample').find(
      (one) => chains.some((chain) => chain.traceId === one.traceId) && one.traceId !== traceId,
    );
    assert.deepEqual(
      named('batch', traceId)[0]?.links.map(({ spanId }) => spanId),
      [other?.spanId],
    );
  }
  const broken = named('train').filter(({ status }) => status?.code === ERROR);
  assert.equal(broken.length, 1);
  assert.deepEqual(named('gate', broken[0]?.traceId), []);
  const [own, ...rest] = named('batch').filter(({ parentSpanId }) => !parentSpanId);
  assert.deepEqual(rest, []);
  assert.deepEqual(
    own?.links.map(({ spanId }) => spanId).sort(),
    chains.flatMap(({ traceId }) => named('judge', traceId).map(({ spanId }) => spanId)).sort(),
  );
  assert.ok(!receiver.bodies.join('').includes('no reason that is told'));
});

it('METRICS-2: versions refused, gone back from and lost are told apart, with what the gate measured', async (t) => {
  const { store, metrics } = await openTelemetry(
    TelemetryConfig.parse({ metrics: true }),
    await emptyStore(t),
    { warn: (message) => assert.fail(message) },
  );
  learn(store);
  learn(store);
  store.goBack(weightVersion(1), 'the user went back', T0);
  store.fallBack(weightVersion(1), 'failed', 'its adapter is damaged', T0);
  const refused = beginBatch(store, [readySample(store)]);
  const { version } = store.batch(refused) ?? assert.fail();
  store.completeBatch(refused, made(version));
  store.rejectVersion(version, 'no better', T0, FIGURES);
  const text = (await metrics?.text()) ?? '';
  for (const line of [
    'apprentice_versions_total{outcome="served"} 2',
    'apprentice_versions_total{outcome="rolled_back"} 1',
    'apprentice_versions_total{outcome="fell_back"} 1',
    'apprentice_versions_total{outcome="failed"} 1',
    'apprentice_gate_results_total{outcome="rejected"} 1',
    'apprentice_gate_lower_bound_nats -0.4',
    'apprentice_gate_drift_nats Nan',
    'apprentice_gate_seconds_count 1',
    'apprentice_training_steps_total 3',
    'apprentice_serving_version{policy="serving"} 0',
  ])
    assert.ok(text.split('\n').includes(line), line);
});

it('METRICS-4: what is undone with its transaction is not counted, what stays is, once', async (t) => {
  const opened = await emptyStore(t);
  const config = TelemetryConfig.parse({ metrics: true });
  const { store, metrics } = await openTelemetry(config, opened, { warn: (message) => assert.fail(message) });
  assert.throws(() =>
    store.together(() => {
      correction(store);
      throw new Error('the disk is full');
    }),
  );
  assert.doesNotMatch((await metrics?.text()) ?? '', /^apprentice_verdicts_total\{/m);
  store.together(() => store.together(() => correction(store)));
  const batchId = beginBatch(store, [correction(store).sampleId]);
  store.failBatch(batchId, 'it failed');
  const text = (await metrics?.text()) ?? '';
  for (const line of [
    'apprentice_verdicts_total{score="-1",decided_by="evidence"} 2',
    'apprentice_batches_total{outcome="failed"} 1',
    'apprentice_versions_total{outcome="failed"} 1',
    'apprentice_queue_length{queue="samples_ready"} 1',
    'apprentice_worker_ready{part="link"} 0',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text.slice(0, 2000)}`);
});

it('TRACE-4: a receiver that is away costs the spans alone, and the log is told why', {
  timeout: 30_000,
}, async (t) => {
  const opened = await emptyStore(t);
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const address = closed.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => closed.close(resolve));
  const said: string[] = [];
  const heard = Promise.withResolvers<void>();
  const warn = (message: string) => {
    said.push(message);
    heard.resolve();
  };
  const endpoint = `http://127.0.0.1:${port}/v1/traces`;
  const telemetry = await openTelemetry(traced({ endpoint }), opened, { warn });
  const { turnId } = correction(telemetry.store);
  await telemetry.close();
  assert.equal(opened.verdict(turnId)?.score, -1);
  await heard.promise;
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /not taken .*ECONNREFUSED/);
});

it('TRACE-1: spans leave this machine encrypted or not at all, and only where config.json says so', () => {
  assert.deepEqual(TelemetryConfig.parse({}), { metrics: false, traces: null });
  const reads = (endpoint: string) => TelemetryConfig.safeParse({ traces: { endpoint } }).success;
  for (const good of [
    'https://collector.example/v1/traces',
    'http://127.0.0.1:4318/v1/traces',
    'http://[::1]:4318/',
  ])
    assert.ok(reads(good), good);
  for (const bad of [
    'http://collector.example/v1/traces',
    'http://127.0.0.1.example/',
    'https://name:word@collector.example/',
    'file:///etc/passwd',
    'collector',
  ])
    assert.ok(!reads(bad), bad);
});
