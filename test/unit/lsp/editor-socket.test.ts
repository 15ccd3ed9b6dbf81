/** What the agent-server says to editors over its socket, and to whom. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { readDiscovery } from '../../../agent-server/discovery.ts';
import { connectEditorClient } from '../../../agent-server/lsp/client.ts';
import { MAX_FIRST_MESSAGE_BYTES } from '../../../agent-server/lsp/wire.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import type { PanelSnapshot } from '../../../agent-server/protocol/panel.ts';
import { startHere } from '../../fixtures/agent-server.ts';
import { answeredTurn, commit, thumb } from '../../fixtures/records.ts';

describe("The editors' socket", () => {
  it('LSP-1: a wrong token is refused and the connection ended; others stay', async (t) => {
    const { discovery } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    await assert.rejects(connectEditorClient({ ...discovery, token: 'wrong' }, 'stranger'), {
      code: 'unauthorized',
    });
    assert.deepEqual(await client.request(editorRequests.getLearning, {}), { state: 'unasked' });
    client.close();
  });

  it('LSP-1: nothing is answered before the token, and a first message may not be long', async (t) => {
    const { discovery } = await startHere(t);
    const early = connect({ path: discovery.socket });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: editorRequests.panel.method, params: {} });
    early.write(`Content-Length: ${body.length}\r\n\r\n${body}`);
    const [answer] = (await once(early, 'data')) as [Buffer];
    assert.match(answer.toString(), /-32002/);
    early.destroy();
    const flood = connect({ path: discovery.socket });
    flood.on('error', () => undefined);
    flood.write(
      `Content-Length: ${MAX_FIRST_MESSAGE_BYTES * 4}\r\n\r\n${'x'.repeat(MAX_FIRST_MESSAGE_BYTES + 1)}`,
    );
    await once(flood.resume(), 'close', { signal: AbortSignal.timeout(5_000) });
  });

  it('LSP-2: nothing is kept before consent; with it an observation sent twice is one row', async (t) => {
    const { discovery, store } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const seen = commit();
    for (const state of ['off', 'paused'] as const) {
      await assert.rejects(client.request(editorRequests.observe, seen), { code: 'consent_required' });
      await client.request(editorRequests.setLearning, { state });
    }
    assert.equal(store.doneCounts().environment, 0);
    await client.request(editorRequests.setLearning, { state: 'on' });
    assert.deepEqual(await client.request(editorRequests.observe, seen), { duplicate: false });
    assert.deepEqual(await client.request(editorRequests.observe, seen), { duplicate: true });
  });

  it('LSP-3: what does not parse is named and changes nothing', async (t) => {
    const { discovery, store } = await startHere(t);
    store.setLearning('on');
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const bad = commit({ sha: 'not a sha' });
    await assert.rejects(client.request(editorRequests.observe, bad), {
      code: 'invalid_request',
      message: /sha/,
    });
  });

  it('LSP-4: every window hears of consent, and the panel follows what happens', async (t) => {
    const { discovery, store } = await startHere(t);
    const [one, two] = [
      await connectEditorClient(discovery, 'one'),
      await connectEditorClient(discovery, 'two'),
    ];
    t.after(() => [one, two].map((client) => client.close()));
    const heard = Promise.withResolvers<unknown>();
    two.onNotification(editorNotifications.learningChanged, heard.resolve);
    await one.request(editorRequests.setLearning, { state: 'on' });
    assert.deepEqual(await heard.promise, { state: 'on' });

    const liked = Promise.withResolvers<PanelSnapshot>();
    one.onNotification(editorNotifications.panelChanged, (snapshot) => {
      if (snapshot.turns[0]?.outcome === 'thumb_up') liked.resolve(snapshot);
    });
    await one.request(editorRequests.subscribePanel, { on: true });
    const turnId = answeredTurn(store, { createdAtMs: Date.now() });
    const [open] = await two.request(editorRequests.openProposals, { repositoryRoot: '/repo' });
    assert.equal(open?.turnId, turnId);
    await two.request(editorRequests.observe, thumb(turnId, 1));
    const snapshot = await liked.promise;
    assert.deepEqual(
      snapshot.loops.map((loop) => loop.name),
      ['serve', 'environment', 'judge', 'train'],
    );
    assert.equal(snapshot.learning, 'on');
    assert.deepEqual(
      snapshot.curve.map((point) => point.accepted),
      [true],
    );
  });

  it('LSP-5: a cancelled request ends as aborted', async (t) => {
    const { discovery } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    t.after(() => client.close());
    const change = { repositoryRoot: '/repo', stagedTree: null, head: null, diff: 'diff --git a/a b/a\n' };
    const cancel = new AbortController();
    const asked = client.request(
      editorRequests.writeCommitMessage,
      { requestId: randomUUID(), change },
      { signal: cancel.signal },
    );
    cancel.abort();
    await assert.rejects(asked, { code: 'aborted' });
  });

  it('LSP-6: stop ends the server after its answer', async (t) => {
    const { discovery, stopped, home } = await startHere(t);
    const client = await connectEditorClient(discovery, 'test');
    assert.equal(await client.request(editorRequests.stop, {}), null);
    await stopped;
    await client.closed;
    assert.equal(readDiscovery(home), undefined);
    await assert.rejects(connectEditorClient(discovery, 'late'), { code: 'worker_unavailable' });
  });
});
