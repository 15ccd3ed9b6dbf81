/** Turns as an editor asks for them, of a whole agent-server with a fake model: the list, one turn, the user's label. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { EditorClient } from '../../../agent-server/lsp/client.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import { TurnId } from '../../../agent-server/protocol/ids.ts';
import type { TurnDetail } from '../../../agent-server/protocol/turns.ts';
import { ScriptedAgent } from '../../e2e/harness/scripted-agent.ts';
import { temporaryFolder } from '../../fixtures/home.ts';

const LIMIT_MS = 60_000;

describe('Turns over the editor’s socket', () => {
  let agent: ScriptedAgent;
  let editor: EditorClient;
  before(async () => {
    const learning = { method: 'hybrid-union+demonstration', teacherCheck: 'never' };
    agent = await ScriptedAgent.start(temporaryFolder(), learning);
    editor = await agent.connect();
    await editor.request(editorRequests.subscribePanel, { on: true });
  });
  after(async () => {
    editor?.close();
    await agent?.stop();
  });

  /** The turn's detail once it is as wanted; asked again whenever the panel changes. */
  async function detail(turnId: string, wanted: (detail: TurnDetail) => boolean): Promise<TurnDetail> {
    const signal = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const changed = Promise.withResolvers<void>();
      const unsubscribe = editor.onNotification(editorNotifications.panelChanged, () => changed.resolve());
      const late = () => changed.reject(new Error(`The turn stays ${JSON.stringify(last)}`));
      signal.addEventListener('abort', late);
      const last = await editor.request(editorRequests.turn, { turnId: TurnId.parse(turnId) });
      try {
        if (wanted(last)) return last;
        await changed.promise;
      } finally {
        unsubscribe();
        signal.removeEventListener('abort', late);
      }
    }
  }

  it('PANEL-6: a turn that was learnt shows what followed, the evidence, and what the step was told of each token', async () => {
    const turnId = await agent.ask('Say hello', 'Hello, dear user!');
    await agent.correct(turnId, 'hello');
    const learnt = await detail(turnId, ({ turn }) => turn.learntBy !== null);
    assert.deepEqual(
      learnt.nextStates.map(({ kind, text }) => [kind, text.endsWith('hello')]),
      [['user_edit', true]],
    );
    assert.deepEqual(
      learnt.evidence.map(({ source, score }) => [source, score]),
      [['user_edit', -1]],
    );
    assert.deepEqual(learnt.hints, [{ kind: 'rewrite', source: 'rewrite', text: 'hello' }]);
    assert.equal(learnt.request, 'Say hello');
    assert.deepEqual([learnt.batch?.version, learnt.batch?.state], ['policy@v1', 'trained']);
    assert.ok(learnt.advantages.kind === 'known', JSON.stringify(learnt.advantages));
    const texts = learnt.advantages.rows.map(({ role, tokens }) => [
      role,
      tokens.map(({ text }) => text).join(''),
    ]);
    assert.deepEqual(texts, [
      ['response', 'Hello, dear user!<|im_end|>'],
      ['demonstration', 'hello<|im_end|>'],
    ]);
    const [response, demonstration] = learnt.advantages.rows;
    assert.ok(response?.tokens.every(({ advantage }) => advantage !== null && advantage !== 0));
    assert.ok(demonstration?.tokens.every(({ advantage, weight }) => advantage === null && weight === 1));

    const page = await editor.request(editorRequests.turns, { filter: { text: 'DEAR USER' } });
    assert.deepEqual([page.turns.map((turn) => turn.turnId), page.total, page.next], [[turnId], 1, null]);
  });

  it('PANEL-7: the user’s own label outranks what was seen, and brings how it should have been', async () => {
    const turnId = await agent.ask('Say goodbye', 'Farewell!');
    await agent.correct(turnId, 'Farewell!');
    await detail(turnId, ({ turn }) => turn.score === 1);
    const label = { kind: 'thumb', turnId };
    await agent.observe({ ...label, value: -1, rewrite: 'bye', words: 'Say it in one short word.' });
    const wrong = await detail(turnId, ({ turn }) => turn.score === -1);
    assert.equal(wrong.turn.outcome, 'thumb_down');
    assert.deepEqual(
      wrong.hints.map(({ source, text }) => [source, text]),
      [
        ['rewrite', 'bye'],
        ['review', 'Say it in one short word.'],
      ],
    );
    await agent.observe({ ...label, value: 0 });
    const neither = await detail(turnId, ({ turn }) => turn.score === 0);
    assert.deepEqual([neither.turn.outcome, neither.hints], ['no_score', []]);
    await agent.observe({ ...label, value: -1, rewrite: '' });
    const taken = await detail(turnId, ({ turn }) => turn.score === -1);
    assert.deepEqual(
      taken.hints.map(({ source }) => source),
      ['review'],
      'an empty rewrite takes the earlier one back, words stay',
    );
  });

  it('PANEL-5: a list tells how a long answer begins, the turn itself tells all of it', async () => {
    const long = `heliotrope ${'and so on '.repeat(40)}`;
    const turnId = await agent.ask('Go on', long);
    const { turns } = await editor.request(editorRequests.turns, { filter: { text: 'heliotrope' } });
    assert.deepEqual([turns.length, turns[0]?.proposal], [1, long.slice(0, 300)]);
    const whole = await editor.request(editorRequests.turn, { turnId: TurnId.parse(turnId) });
    assert.equal(whole.turn.proposal, long);
  });

  it('names a turn that is not there', async () => {
    await assert.rejects(editor.request(editorRequests.turn, { turnId: TurnId.parse(crypto.randomUUID()) }), {
      code: 'not_found',
    });
  });
});
