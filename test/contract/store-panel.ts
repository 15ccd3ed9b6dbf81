/** What the panel's pages ask of a store: turns by filter and page, and what a step was told of each token. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import { BASE_VERSION, type BatchId, type SampleId } from '../../agent-server/protocol/ids.ts';
import { BATCH_FORMAT, type BatchManifest } from '../../agent-server/protocol/training.ts';
import { TurnQuery } from '../../agent-server/protocol/turns.ts';
import type { Store } from '../../agent-server/store/store.ts';
import { answeredTurn, beginBatch, corrected, readySample, sha256, turn } from '../fixtures/records.ts';

export function panelRules(given: () => Store): void {
  it('PANEL-5: turns are listed newest first, a page at a time, and found by text, outcome, subject and version', () => {
    const store = given();
    const first = answeredTurn(store, {}, { text: 'Add a parser' });
    const second = answeredTurn(store, { subject: { kind: 'chat' } }, { text: 'That is 100% of it' });
    const third = answeredTurn(store, { kind: 'side' }, { text: 'A title' });
    store.beginTurn(turn());
    store.recordVerdict(corrected(first, 'feat: parse a list'), null);
    const ids = (query: TurnQuery) => store.turnPage(query).turns.map(({ turnId }) => turnId);
    const found = (filter: Partial<TurnQuery['filter']>) => ids(TurnQuery.parse({ filter }));

    const page = store.turnPage(TurnQuery.parse({ limit: 2 }));
    assert.deepEqual(
      page.turns.map(({ turnId }) => turnId),
      [third, second],
    );
    assert.equal(page.total, 3, 'one that is being generated is none yet');
    const rest = store.turnPage(TurnQuery.parse({ limit: 2, before: page.next }));
    assert.deepEqual([rest.turns.map(({ turnId }) => turnId), rest.next], [[first], null]);
    assert.deepEqual(found({ text: 'PARSER' }), [first]);
    assert.deepEqual(found({ text: ' a list' }), [first], 'what the user wrote instead is searched too');
    assert.deepEqual(found({ text: '100%' }), [second], 'no character of a search is a pattern');
    assert.deepEqual(found({ text: '1%f' }), []);
    assert.deepEqual(found({ text: '/repo' }), [third, first]);
    assert.deepEqual(found({ outcome: 'corrected' }), [first]);
    assert.deepEqual(found({ outcome: 'pending' }), [second]);
    assert.deepEqual(found({ outcome: 'side', text: 'title' }), [third]);
    assert.deepEqual(found({ takenFor: 'main' }), [second, first]);
    assert.deepEqual(found({ subject: 'chat' }), [second]);
    assert.deepEqual(found({ version: store.serving() }), [third, second, first]);
    assert.equal(store.panelTurn(first)?.correction, 'feat: parse a list');
  });

  it('PANEL-6: what a step was told of each token is kept with its sample, the last step for the one before, and goes with it', () => {
    const store = given();
    const sampleId = readySample(store);
    const batchId = beginBatch(store, [sampleId]);
    const manifest = manifestOf(store, batchId, sampleId);
    const tokens = [
      { id: 7, advantage: -0.25, weight: 0, other: { id: 9, advantage: 0.5 } },
      { id: 8, advantage: null, weight: 1, other: null },
    ];
    const row = { sampleId, role: 'response' as const, batchId };
    store.setManifest(batchId, manifest, [{ ...row, tokens: [] }]);
    store.setManifest(batchId, manifest, [{ ...row, tokens }]);
    assert.deepEqual(store.tokenAdvantages(sampleId), [{ ...row, tokens }]);
    store.deleteTurn(store.sample(sampleId)?.turnId ?? assert.fail());
    assert.deepEqual(store.tokenAdvantages(sampleId), []);
  });
}

function manifestOf(store: Store, batchId: BatchId, sampleId: SampleId): BatchManifest {
  return {
    format: BATCH_FORMAT,
    batchId,
    parent: BASE_VERSION,
    version: store.batch(batchId)?.version ?? assert.fail(),
    rows: [{ sampleId, role: 'response', origin: 'new' }],
    hyperparameters: LearningConfig.parse({}).hyperparameters,
    tensorsSha256: sha256('tensors'),
  };
}
