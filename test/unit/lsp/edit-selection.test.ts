/** Inline edits over a real connection: server, store, gateway and worker whole, the model scripted. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Config } from '../../../agent-server/config.ts';
import { inlineEditAnswer } from '../../../agent-server/environment/code-block.ts';
import { createLog } from '../../../agent-server/log.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import { connectEditorClient, type EditorClient } from '../../../agent-server/lsp/client.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import type { TurnId } from '../../../agent-server/protocol/ids.ts';
import { Observation } from '../../../agent-server/protocol/observations.ts';
import { type RunningServer, startAgentServer } from '../../../agent-server/server.ts';
import { CHAT_END_ID } from '../../fakes/tokenizer.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { sha256 } from '../../fixtures/records.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const SELECTION = {
  repositoryRoot: '/home/me/shop',
  documentSha256: sha256('file:///home/me/shop/src/total.js'),
  language: 'javascript',
  fileName: 'total.js',
  instruction: 'Round the total to cents.',
  code: '  return sum;',
  before: 'function total(prices) {',
  after: '}',
};
const ANSWER = 'Here you are:\n```javascript\nreturn Math.round(sum * 100) / 100;\n```';
const REWRITE = inlineEditAnswer('  return roundToCents(sum);', 'javascript');
const LIMIT_MS = 30_000;

describe('An inline edit, asked for by an editor', () => {
  const home = temporaryFolder();
  const answerFile = join(home, 'answer.txt');
  let server: RunningServer;
  let client: EditorClient;
  const log = createLog('error', (line) => process.stderr.write(line));

  before(async () => {
    process.env['APPRENTICE_FAKE_ANSWER'] = answerFile;
    const file = join(repositoryRoot, 'test', 'fakes', 'gpu-worker', 'main.ts');
    const worker = new WorkerProcess({
      home,
      model: 'fake',
      python: 'none',
      threads: null,
      maxRunning: 8,
      log: log.info,
      file,
    });
    // The fake's versions are another model altogether; here only lessons are to change an answer's prompt.
    const config = Config.parse({ learning: { anchors: 0 }, promotion: { turns: 0, anchors: 0 } });
    const started = await startAgentServer({ home, config, env: process.env, log, worker });
    assert.equal(started.kind, 'running');
    if (started.kind !== 'running') throw new Error('unreachable: asserted above');
    server = started;
    client = await connectEditorClient(server.discovery, 'test');
    await client.request(editorRequests.setLearning, { state: 'on' });
  });
  after(async () => {
    delete process.env['APPRENTICE_FAKE_ANSWER'];
    client?.close();
    await server?.stop();
  });

  const edit = (answer: string, changes: Partial<typeof SELECTION> = {}) => {
    writeFileSync(answerFile, answer);
    const params = { requestId: randomUUID(), selection: { ...SELECTION, ...changes } };
    return client.request(editorRequests.editSelection, params, { timeoutMs: LIMIT_MS });
  };
  const observe = (fields: Record<string, unknown>) =>
    client.request(
      editorRequests.observe,
      Observation.parse({
        observationId: randomUUID(),
        observedAt: new Date().toISOString(),
        ...fields,
      }),
    );
  /** Of the fake's tokenizer, a byte a token. */
  const prompt = (turnId: TurnId) => Buffer.from(server.store.turn(turnId)?.promptIds ?? []).toString();
  const verdictOf = (turnId: TurnId) => server.store.panelTurns(50).find((turn) => turn.turnId === turnId);
  const judged = async (turnId: TurnId, wanted: () => boolean) => {
    const limit = AbortSignal.timeout(LIMIT_MS);
    while (!wanted()) {
      assert.ok(!limit.aborted, `turn ${turnId} stays ${JSON.stringify(verdictOf(turnId))}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const off = server.store.onChange(() => resolve());
      limit.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      off();
    }
  };
  let corrected: TurnId;

  it('EDIT-3: is a turn with its exact tokens and no text in its subject; the answer streams', async () => {
    let streamed = '';
    const off = client.onNotification(editorNotifications.actionText, ({ text }) => {
      streamed += text;
    });
    const proposal = await edit(ANSWER);
    off();
    assert.equal(proposal.replacement, '  return Math.round(sum * 100) / 100;');
    assert.equal(streamed, ANSWER);
    const turn = server.store.turn(proposal.turnId);
    assert.deepEqual(turn?.subject, {
      kind: 'inline_edit',
      repositoryRoot: SELECTION.repositoryRoot,
      language: 'javascript',
      documentSha256: SELECTION.documentSha256,
    });
    assert.deepEqual(turn?.response?.responseIds, [...Buffer.from(ANSWER), CHAT_END_ID]);
    assert.match(prompt(proposal.turnId), /Round the total to cents\.[\s\S]*```javascript\nreturn sum;\n```/);
    assert.equal(verdictOf(proposal.turnId)?.subject, 'Inline edit');
    corrected = proposal.turnId;
  });

  it('EDIT-4: hunks decide nothing; the whole review does, and its rewrite is the hint', async () => {
    const review = { kind: 'patch_review', turnId: corrected };
    await observe({
      ...review,
      hunk: { index: 0, count: 1 },
      decision: 'rejected',
      comment: 'There is a helper for this.',
      text: null,
    });
    await observe({ ...review, decision: 'edited', comment: null, text: REWRITE });
    await judged(corrected, () => verdictOf(corrected)?.correction === REWRITE);
    const { score, decidedBy } = verdictOf(corrected) ?? {};
    assert.deepEqual([score, decidedBy], [-1, 'evidence:patch_review']);
    const [lesson] = await client.request(editorRequests.lessons, {});
    assert.deepEqual(
      [lesson?.subject, lesson?.rewrite, lesson?.hint],
      ['Inline edit', REWRITE, 'There is a helper for this.'],
    );
  });

  it('EDIT-4: the rewrite stands in the next prompt of its language and workspace, and in no other', async () => {
    const next = await edit(ANSWER, { code: '  return average;', instruction: 'Round the average.' });
    assert.ok(prompt(next.turnId).includes(`assistant\n${REWRITE}`), prompt(next.turnId));
    for (const elsewhere of [{ language: 'python' }, { repositoryRoot: '/home/me/other' }]) {
      const other = await edit(ANSWER, elsewhere);
      assert.ok(!prompt(other.turnId).includes('roundToCents'), prompt(other.turnId));
    }
  });

  it('EDIT-4: that the reviewed lines survive takes neither the correction nor its lesson back', async () => {
    await observe({ kind: 'user_edit', turnId: corrected, moment: 'commit', text: null, survival: 1 });
    await judged(corrected, () => server.store.nextStates(corrected).length === 3);
    await judged(corrected, () => server.store.queueLengths(Date.now()).judge === 0);
    assert.deepEqual([verdictOf(corrected)?.score, verdictOf(corrected)?.correction], [-1, REWRITE]);
    assert.equal((await client.request(editorRequests.lessons, {})).length, 1);
  });

  it('EDIT-2: an answer without code is an error by name', async () => {
    await assert.rejects(edit('I would rather not.'), {
      code: 'answer_unusable',
      message: /without code: "I would rather not\."/,
    });
  });
});
