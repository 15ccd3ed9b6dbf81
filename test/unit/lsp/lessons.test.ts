/** Lessons through the editor's socket of a whole agent-server: listed, worded anew, switched off, deleted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Config } from '../../../agent-server/config.ts';
import { createLog } from '../../../agent-server/log.ts';
import { connectEditorClient } from '../../../agent-server/lsp/client.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { PanelSnapshot } from '../../../agent-server/protocol/panel.ts';
import { startAgentServer, type Worker } from '../../../agent-server/server.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { answeredTurn, corrected } from '../../fixtures/records.ts';

/** A gpu-worker that never comes up: lessons need none. */
const noWorker: Worker = {
  endpoint: () => {
    throw new ApprenticeError('worker_unavailable', 'No worker in this test.', '');
  },
  onChange: () => () => undefined,
  start: () => undefined,
  stop: async () => undefined,
};

test('LESSON-12: an editor lists lessons, words them anew, switches them off and deletes them; the panel follows', async (t) => {
  const log = createLog('error', (line) => process.stderr.write(line));
  const options = { home: temporaryFolder(), config: Config.parse({}), env: {}, log, worker: noWorker };
  const server = await startAgentServer(options);
  assert.equal(server.kind, 'running');
  if (server.kind !== 'running') throw new Error('unreachable: asserted above');
  t.after(() => server.stop());
  const client = await connectEditorClient(server.discovery, 'test');
  t.after(() => client.close());

  const switchedOff = Promise.withResolvers<PanelSnapshot>();
  client.onNotification(editorNotifications.panelChanged, (snapshot) => {
    if (snapshot.lessons[0]?.state === 'off') switchedOff.resolve(snapshot);
  });
  await client.request(editorRequests.subscribePanel, { on: true });
  const turnId = answeredTurn(server.store, { createdAtMs: Date.now() });
  server.store.recordVerdict(corrected(turnId, 'feat: add a parser'), null);

  const [lesson] = await client.request(editorRequests.lessons, {});
  assert.ok(lesson);
  assert.deepEqual(
    [lesson.subject, lesson.repository, lesson.request, lesson.rewrite, lesson.edited],
    ['Commit message', '/repo', 'Write a commit message.', 'feat: add a parser', false],
  );
  const { lessonId } = lesson;
  const reworded = await client.request(editorRequests.updateLesson, { lessonId, rewrite: 'feat: parse' });
  assert.deepEqual([reworded.rewrite, reworded.edited, reworded.state], ['feat: parse', true, 'active']);
  await client.request(editorRequests.updateLesson, { lessonId, state: 'off' });
  assert.equal((await switchedOff.promise).lessons[0]?.rewrite, 'feat: parse');
  await assert.rejects(client.request(editorRequests.updateLesson, { lessonId, rewrite: '' }), {
    code: 'invalid_request',
  });
  await client.request(editorRequests.deleteLesson, { lessonId });
  assert.deepEqual(await client.request(editorRequests.lessons, {}), []);
  await assert.rejects(client.request(editorRequests.deleteLesson, { lessonId }), { code: 'not_found' });
});
