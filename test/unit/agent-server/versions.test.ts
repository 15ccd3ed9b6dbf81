/** What an editor may ask about versions, over its socket: a whole agent-server, without a gpu-worker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Config } from '../../../agent-server/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { connectEditorClient } from '../../../agent-server/lsp/client.ts';
import { editorRequests } from '../../../agent-server/protocol/editor.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { BASE_VERSION, SessionId, weightVersion } from '../../../agent-server/protocol/ids.ts';
import { startAgentServer, type Worker } from '../../../agent-server/server.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { beginBatch, made, newTurnId, readySample, T0 } from '../../fixtures/records.ts';

/** Never comes up: nothing here needs an engine. */
const noWorker: Worker = {
  endpoint: () => {
    throw new ApprenticeError('worker_unavailable', 'No worker in this test.', '');
  },
  onChange: () => () => undefined,
  start: () => undefined,
  stop: async () => undefined,
};

test('LSP-7: going back, leaving out, deleting and forgetting are one request each', async (t) => {
  const home = temporaryFolder();
  const log = createLog('error', (line) => process.stderr.write(line));
  const server = await startAgentServer({ home, config: Config.parse({}), env: {}, log, worker: noWorker });
  assert.ok(server.kind === 'running');
  t.after(() => server.stop());
  const { store, discovery } = server;
  const editor = await connectEditorClient(discovery, 'test');
  t.after(() => editor.close());
  const [V1, V2] = [weightVersion(1), weightVersion(2)];
  const turns = [V1, V2].map((version) => {
    const sampleId = readySample(store);
    store.completeBatch(beginBatch(store, [sampleId]), made(version));
    store.promote(version, 'better', T0);
    mkdirSync(join(home, 'adapters', version), { recursive: true });
    const turnId = store.sample(sampleId)?.turnId;
    assert.ok(turnId);
    return turnId;
  });
  const [first, second] = turns;
  assert.ok(first && second);

  assert.deepEqual(await editor.request(editorRequests.rollback, { version: V1 }), { serving: V1 });
  await assert.rejects(editor.request(editorRequests.rollback, { version: weightVersion(7) }), {
    code: 'invalid_request',
  });
  assert.deepEqual(await editor.request(editorRequests.rollback, { version: V2 }), { serving: V2 });

  await editor.request(editorRequests.excludeSample, { turnId: second, on: true });
  const { versions, serving } = await editor.request(editorRequests.panel, {});
  assert.deepEqual([serving, versions.find(({ version }) => version === V2)?.tainted], [V2, 'excluded']);
  assert.deepEqual(await editor.request(editorRequests.forget, {}), {
    serving: V1,
    forgotten: [V2],
    samplesReady: 0,
  });
  assert.deepEqual(
    [existsSync(join(home, 'adapters', V1)), existsSync(join(home, 'adapters', V2))],
    [true, false],
  );
  assert.deepEqual(store.readySamples(9), [], 'what is excluded is not trained again');

  assert.deepEqual(await editor.request(editorRequests.deleteTurn, { turnId: first }), {
    turns: 1,
    tainted: [V1, V2],
  });
  await assert.rejects(editor.request(editorRequests.deleteTurn, { turnId: newTurnId() }), {
    code: 'not_found',
  });
  const sessionId = SessionId.parse('session');
  assert.equal((await editor.request(editorRequests.deleteSession, { sessionId })).turns, 1);
  const requestId = randomUUID();
  await assert.rejects(editor.request(editorRequests.evaluate, { requestId, splitAt: null }), {
    code: 'invalid_request',
    message: /0 turns that you corrected or accepted/,
  });
  await editor.request(editorRequests.deleteEverything, {});
  const after = await editor.request(editorRequests.panel, {});
  assert.deepEqual([after.serving, after.versions.length, after.turns], [BASE_VERSION, 1, []]);
  assert.equal(existsSync(join(home, 'adapters', V1)), false);
});
