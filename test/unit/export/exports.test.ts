/** What a user takes out of a whole agent-server: turns, trajectories, an adapter; and a cancelled export. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TurnLine } from '../../../agent-server/export/turn-line.ts';
import { writeExport } from '../../../agent-server/export/write-export.ts';
import type { EditorClient } from '../../../agent-server/lsp/client.ts';
import { editorNotifications, editorRequests } from '../../../agent-server/protocol/editor.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { ScriptedAgent } from '../../e2e/harness/scripted-agent.ts';
import { Atif } from '../../fixtures/atif.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { answeredTurn } from '../../fixtures/records.ts';

const LEARN_LIMIT_MS = 60_000;
const PERSONAL = 'the passphrase of my cat';

describe('Exports', () => {
  const home = temporaryFolder();
  const folder = temporaryFolder();
  let agent: ScriptedAgent;
  let editor: EditorClient;
  let turnId: string;

  before(async () => {
    agent = await ScriptedAgent.start(home);
    editor = await agent.connect();
    const serving = Promise.withResolvers<void>();
    const limit = setTimeout(() => serving.reject(new Error('v1 does not come to serve.')), LEARN_LIMIT_MS);
    editor.onNotification(editorNotifications.panelChanged, (snapshot) => {
      if (snapshot.serving === 'policy@v1') serving.resolve();
    });
    await editor.request(editorRequests.subscribePanel, { on: true });
    turnId = await agent.ask(`Tell me ${PERSONAL}`, 'Hello, dear user!');
    await agent.correct(turnId, `It is ${PERSONAL}`);
    await serving.promise;
    clearTimeout(limit);
  });
  after(async () => {
    editor?.close();
    await agent?.stop();
  });

  const written = (name: string): unknown[] =>
    readFileSync(join(folder, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('PANEL-9: turns are written a line each, in the documented fields, and told as they are done', async () => {
    const requestId = crypto.randomUUID();
    const told: number[] = [];
    editor.onNotification(editorNotifications.exportProgress, (progress) => {
      if (progress.requestId === requestId) told.push(progress.done);
    });
    const file = join(folder, 'turns.jsonl');
    writeFileSync(file, 'an older export\n');
    const exported = await editor.request(editorRequests.export, { requestId, format: 'turns', file });
    const [line, ...more] = written('turns.jsonl').map((each) => TurnLine.strict().parse(each));
    assert.deepEqual([exported.lines, exported.bytes, more.length], [1, statSync(file).size, 0]);
    assert.deepEqual(
      [line?.turnId, line?.score, line?.sample?.learntBy, line?.hints[0]?.text, line?.nextStates[0]?.kind],
      [turnId, -1, 'policy@v1', `It is ${PERSONAL}`, 'user_edit'],
    );
    assert.deepEqual(told, [1]);
    if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o77, 0, 'nobody else reads it');
  });

  it('PANEL-9: trajectories are written a line each, in ATIF', async () => {
    const file = join(folder, 'trajectories.jsonl');
    await editor.request(editorRequests.export, {
      requestId: crypto.randomUUID(),
      format: 'trajectories',
      file,
    });
    const [one] = written('trajectories.jsonl').map((each) => Atif.parse(each));
    assert.deepEqual(
      one?.steps.map(({ source, message }) => [source, message]),
      [
        ['user', `Tell me ${PERSONAL}`],
        ['agent', 'Hello, dear user!'],
      ],
    );
  });

  it('PANEL-9: a cancelled export leaves what was there, and nothing of its own', async () => {
    const { store } = await openStore(':memory:');
    for (let n = 0; n < 120; n += 1) answeredTurn(store);
    const file = join(folder, 'cancelled.jsonl');
    writeFileSync(file, 'as it was');
    const cancelled = new AbortController();
    const told: number[] = [];
    const exporting = writeExport(
      store,
      { format: 'turns', file },
      (done) => {
        told.push(done);
        cancelled.abort();
      },
      cancelled.signal,
    );
    await assert.rejects(exporting, { code: 'aborted' });
    assert.deepEqual(told, [50], 'it ends at the next piece');
    assert.equal(readFileSync(file, 'utf8'), 'as it was');
    const left = readdirSync(folder).filter((name) => name.endsWith('.part'));
    assert.deepEqual(left, []);
    await assert.rejects(
      writeExport(
        store,
        { format: 'turns', file: join(folder, 'missing', 'a.jsonl') },
        () => undefined,
        new AbortController().signal,
      ),
      { message: /ENOENT/ },
    );
    store.close();
  });

  it('PANEL-8: an adapter becomes a PEFT folder with a card that tells nothing personal, and is never written over', async () => {
    const version = weightVersion(1);
    const exported = await editor.request(editorRequests.exportAdapter, { version, folder });
    assert.equal(exported.folder, join(folder, 'apprentice-policy-v1'));
    assert.deepEqual(readdirSync(exported.folder).sort(), [
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ]);
    const weights = 'adapter_model.safetensors';
    assert.deepEqual(
      readFileSync(join(exported.folder, weights)),
      readFileSync(join(home, 'adapters', version, weights)),
    );
    const card = readFileSync(join(exported.folder, 'README.md'), 'utf8');
    assert.match(card, /^---\nbase_model: /);
    assert.match(card, /\| New samples in it \| 1 \|/);
    const texts = card + readFileSync(join(exported.folder, 'adapter_config.json'), 'utf8');
    for (const personal of [PERSONAL, home, turnId, 'dear user'])
      assert.ok(!texts.includes(personal), `it tells "${personal}"`);

    await assert.rejects(editor.request(editorRequests.exportAdapter, { version, folder }), {
      code: 'invalid_request',
    });
    await assert.rejects(
      editor.request(editorRequests.exportAdapter, { version: weightVersion(7), folder: temporaryFolder() }),
      { code: 'not_found' },
    );
    writeFileSync(join(home, 'adapters', version, weights), 'damaged');
    const elsewhere = temporaryFolder();
    await assert.rejects(editor.request(editorRequests.exportAdapter, { version, folder: elsewhere }), {
      code: 'adapter_invalid',
    });
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it('PANEL-9: what is stored is told in rows and bytes', async () => {
    const { counts, bytes } = await editor.request(editorRequests.stored, {});
    assert.deepEqual([counts.turns, counts.nextStates, counts.samples, counts.versions], [1, 1, 1, 1]);
    assert.ok(bytes.store >= statSync(join(home, 'store.sqlite')).size);
    assert.ok(bytes.adapters > 0 && bytes.logs > 0);
    assert.equal(bytes.setAside, 0);
  });
});
