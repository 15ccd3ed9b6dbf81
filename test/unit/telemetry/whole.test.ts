/** Metrics and traces of a whole agent-server: corrections travel its real loops, over the fake worker's process. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Config } from '../../../agent-server/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import { connectEditorClient, type EditorClient } from '../../../agent-server/lsp/client.ts';
import { editorRequests } from '../../../agent-server/protocol/editor.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import { type RunningServer, startAgentServer } from '../../../agent-server/server.ts';
import { startHere } from '../../fixtures/agent-server.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { type OtlpReceiver, otlpReceiver, type ReceivedSpan } from '../../fixtures/otlp-receiver.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const LIMIT_MS = 60_000;
const PHASES = ['observation', 'judge', 'sample', 'batch', 'train', 'gate', 'promote'];
const REQUEST = 'What does Mrs Winterbottom owe us?';
const REWRITE = 'She owes 17 guineas.';
const SESSION = 'winterbottom-session';

describe('Telemetry of a whole agent-server', { timeout: 4 * LIMIT_MS }, () => {
  const home = temporaryFolder();
  const ends: (() => Promise<void> | void)[] = [];
  const turns: TurnId[] = [];
  let receiver: OtlpReceiver;
  let server: RunningServer;
  let client: EditorClient;
  let scraped = '';

  before(async () => {
    receiver = await otlpReceiver({
      after: (end) => ends.push(() => void end?.({} as never, () => undefined)),
    });
    const log = createLog('error', (line) => process.stderr.write(line));
    const file = join(repositoryRoot, 'test', 'fakes', 'gpu-worker', 'main.ts');
    const shared = { home, model: 'fake', python: 'none', threads: null, maxRunning: 8, log: log.info };
    const worker = new WorkerProcess({ ...shared, file, metrics: true });
    const config = Config.parse({
      learning: { anchors: 0 },
      promotion: { turns: 0, anchors: 0 },
      telemetry: { metrics: true, traces: { endpoint: receiver.endpoint } },
    });
    const started = await startAgentServer({ home, config, env: {}, log, worker });
    assert.ok(started.kind === 'running');
    server = started;
    client = await connectEditorClient(server.discovery, 'test');
    await client.request(editorRequests.setLearning, { state: 'on' });
    for (const version of ['policy@v1', 'policy@v2']) {
      const turnId = await asked(`${REQUEST} ${randomUUID()}`);
      turns.push(turnId);
      await client.request(
        editorRequests.observe,
        editorRequests.observe.params.parse({
          kind: 'thumb',
          observationId: randomUUID(),
          observedAt: new Date().toISOString(),
          turnId,
          value: -1,
          rewrite: REWRITE,
        }),
      );
      await until(() => server.store.serving() === version);
    }
    scraped = await (await ask('/metrics')).text();
    client.close();
    // Sends what waits.
    await server.stop();
  });
  after(async () => {
    client?.close();
    await server?.stop();
    for (const end of ends) await end();
  });

  const ask = (path: string, init: RequestInit = {}, key = server.discovery.token) =>
    fetch(`http://127.0.0.1:${server.discovery.port}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'x-apprentice-session': SESSION,
      },
      signal: AbortSignal.timeout(LIMIT_MS),
    });
  const asked = async (content: string): Promise<TurnId> => {
    const messages = [{ role: 'user', content }];
    const body = JSON.stringify({ model: 'apprentice', messages, max_tokens: 8 });
    const answer = await ask('/v1/chat/completions', { method: 'POST', body });
    assert.equal(answer.status, 200, await answer.clone().text());
    return TurnId.parse(answer.headers.get('x-apprentice-turn-id'));
  };
  const until = async (wanted: () => boolean): Promise<void> => {
    const limit = AbortSignal.timeout(LIMIT_MS);
    while (!wanted()) {
      assert.ok(!limit.aborted, JSON.stringify(server.store.versions()));
      const { promise, resolve } = Promise.withResolvers<void>();
      const off = server.store.onChange(() => resolve());
      limit.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      off();
    }
  };
  /** What a metric says, summed over the labels that are not named. */
  const metric = (name: string, labels = ''): number => {
    const lines = scraped
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const found = lines.filter((line) => line.includes(labels));
    assert.ok(found.length > 0, `${name} ${labels}`);
    return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };

  it('TRACE-1: a correction is one trace, each phase hanging on the one before', () => {
    const traces = Map.groupBy(receiver.spans, ({ traceId }) => traceId);
    assert.equal(traces.size, 2, 'a trace a correction');
    for (const spans of traces.values()) {
      assert.deepEqual(spans.map(({ name }) => name).sort(), PHASES.toSorted(), 'each phase has one span');
      const ordered = PHASES.map((name) => spans.find((span) => span.name === name)).filter(
        (span): span is ReceivedSpan => span !== undefined,
      );
      for (const [index, span] of ordered.entries()) {
        const before = ordered[index - 1];
        assert.equal(span.parentSpanId || undefined, before?.spanId, span.name);
        assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), span.name);
        if (before) assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(before.endTimeUnixNano), span.name);
      }
    }
  });

  it('TRACE-2: a batch that replays an earlier correction links to its sample', () => {
    const [first, second] = receiver.spans.filter(({ name }) => name === 'batch');
    const samples = receiver.spans.filter(({ name }) => name === 'sample');
    assert.deepEqual(first?.links, []);
    const earlier = samples.find(({ traceId }) => traceId === first?.traceId);
    assert.deepEqual(
      second?.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
      [{ traceId: earlier?.traceId, spanId: earlier?.spanId }],
    );
  });

  it('TRACE-3: METRICS-3: nothing that is told holds a text, a path, a name or an id', () => {
    const sent = receiver.bodies.join('\n');
    const { discovery } = server;
    const secrets = ['Winterbottom', 'guineas', SESSION, home, repositoryRoot, discovery.token, ...turns];
    assert.equal(turns.length, 2);
    for (const text of [sent, scraped]) {
      assert.ok(text.length > 0);
      for (const secret of secrets) assert.ok(!text.includes(secret), secret);
      // A UUID, a version's name, what resource detectors tell of a machine.
      const personal = /[0-9a-f]{8}-[0-9a-f]{4}-|policy@|host\.|process\.(command|owner|pid)/;
      assert.equal(personal.exec(text)?.[0], undefined);
    }
  });

  it('METRICS-1: is Prometheus text, every metric once, the worker of this machine behind it', () => {
    const types = [...scraped.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map(([, name]) => name);
    assert.deepEqual(types.length, new Set(types).size);
    for (const line of scraped.split('\n').filter((one) => one !== '' && !one.startsWith('#')))
      assert.match(
        line,
        /^[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? (-?[0-9.e+-]+|\+Inf|Nan)$/,
      );
    assert.ok(types.includes('sglang:num_requests_total') && types.includes('apprentice_verdicts_total'));
  });

  it('METRICS-2: tells what loops, gateway, engine, trainer and link did', () => {
    assert.equal(metric('apprentice_observations_total', 'kind="thumb"'), 2);
    assert.equal(metric('apprentice_next_states_total', 'kind="thumb"'), 2);
    assert.equal(metric('apprentice_verdicts_total', 'score="-1",decided_by="evidence"'), 2);
    assert.equal(metric('apprentice_samples_total', 'state="ready"'), 2);
    assert.equal(metric('apprentice_batches_total', 'outcome="trained"'), 2);
    assert.equal(metric('apprentice_batch_samples_total', 'origin="replay"'), 1);
    assert.equal(metric('apprentice_versions_total', 'outcome="served"'), 2);
    assert.equal(metric('apprentice_gate_results_total', 'outcome="promoted"'), 2);
    assert.equal(metric('apprentice_serving_version'), 2);
    for (const phase of ['place', 'judge', 'wait', 'build', 'train', 'decide'])
      assert.equal(metric('apprentice_phase_seconds_count', `phase="${phase}"`), 2, phase);
    assert.equal(metric('apprentice_queue_length'), 0);
    assert.equal(metric('apprentice_training_loss'), 2, 'what the fake says of a second step');

    assert.equal(metric('apprentice_turns_total', 'taken_for="main"'), 2);
    assert.equal(metric('apprentice_time_to_first_token_seconds_count'), 2);
    assert.equal(metric('apprentice_http_requests_total', 'route="/v1/chat/completions",status="200"'), 2);
    assert.ok(
      metric('apprentice_tokens_total', 'of="prompt"') > metric('apprentice_tokens_total', 'of="completion"'),
    );

    assert.ok(metric('sglang:num_requests_total') >= 2);
    assert.ok(metric('sglang:time_to_first_token_seconds_count', 'is_streaming="true"') >= 2);
    assert.equal(metric('apprentice_trainer_runs_total', 'outcome="trained"'), 2);
    assert.ok(metric('apprentice_trainer_bytes_total', 'of="batch"') > 1000);
    assert.equal(metric('apprentice_trainer_gradient_norm'), 1);
    assert.equal(metric('apprentice_link_connections_total'), 1);
    assert.equal(metric('apprentice_worker_link_connections_total'), 1);
    for (const side of ['apprentice_link_bytes_total', 'apprentice_worker_link_bytes_total'])
      assert.ok(metric(side, 'direction="received"') > 1000 && metric(side, 'direction="sent"') > 1000, side);
    assert.equal(metric('apprentice_worker_ready'), 3);
  });
});

it('METRICS-1: without a word in config.json nothing is told, and without the key nobody is told', async (t) => {
  const { discovery } = await startHere(t);
  const scrape = (authorization: string) =>
    fetch(`http://127.0.0.1:${discovery.port}/metrics`, { headers: { authorization } });
  const off = await scrape(`Bearer ${discovery.token}`);
  assert.equal(off.status, 404);
  assert.match(await off.text(), /telemetry/);
  assert.equal((await scrape('Bearer wrong')).status, 401);
});
