/** What the panel's pages ask of a store: turns by filter and page, and what a step was told of each token. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LearningConfig } from '../../agent-server/learning/config.ts';
import {
  BASE_VERSION,
  type BatchId,
  type SampleId,
  SessionId,
  type TurnId,
} from '../../agent-server/protocol/ids.ts';
import type { UserEditObservation } from '../../agent-server/protocol/observations.ts';
import type { EvaluationReport } from '../../agent-server/protocol/promotion.ts';
import { BATCH_FORMAT, type BatchManifest } from '../../agent-server/protocol/training.ts';
import { TurnQuery } from '../../agent-server/protocol/turns.ts';
import type { Store } from '../../agent-server/store/store.ts';
import type { Turn } from '../../agent-server/store/types.ts';
import {
  answeredTurn,
  beginBatch,
  corrected,
  learn,
  newObservationId,
  readySample,
  sha256,
  T0,
  turn,
} from '../fixtures/records.ts';

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
    const later = answeredTurn(store, { createdAtMs: T0 + 1000 });
    const at = (ms: number) => new Date(T0 + ms).toISOString();
    assert.deepEqual(found({ from: at(1) }), [later]);
    assert.deepEqual(found({ from: at(0), to: at(1000) }), [third, second, first]);
    assert.deepEqual(found({ to: at(0) }), []);
    store.deleteTurn(later);
    assert.equal(store.panelTurn(first)?.correction, 'feat: parse a list');
    store.deleteTurn(second);
    assert.equal(store.turnPage(TurnQuery.parse({})).total, 2, 'what is deleted is counted no more');
    store.deleteEverything(T0);
    assert.equal(store.turnPage(TurnQuery.parse({})).total, 0);
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

export function dataRules(given: () => Store): void {
  it('PANEL-9: what is stored is counted, and every answered turn is come by, session by session', () => {
    const store = given();
    const sessions = ['one', 'two', 'three'].map((name) => SessionId.parse(name));
    const ids = sessions.map((sessionId) =>
      // The same moment: the order in which they were made decides.
      [1, 2, 3].map(() => answeredTurn(store, { sessionId })),
    );
    store.beginTurn(turn({ sessionId: sessions[0] ?? assert.fail() }));
    const { turns, sessions: counted, versions, lessons } = store.storedCounts();
    assert.deepEqual(
      { turns, counted, versions, lessons },
      { turns: 9, counted: 3, versions: 0, lessons: 0 },
    );
    const found = walk((after: { seq: number } | null) => store.sessionsAfter(after?.seq ?? 0, 2));
    assert.deepEqual(
      found.map(({ sessionId }) => sessionId),
      sessions,
    );
    const walked = sessions.map((sessionId) =>
      walk((after: Turn | null) => store.turnsOfSession(sessionId, after, 2)).map(({ turnId }) => turnId),
    );
    assert.deepEqual(walked, ids);
  });

  it('PANEL-10: judged answers by week and version: accepted, corrections, what was left of edits', () => {
    const store = given();
    // 2026-01-05 is a Monday; T0 is at ten on it.
    const monday = T0 - 10 * 3_600_000;
    const week = 7 * 24 * 3_600_000;
    const judge = (createdAtMs: number, score: 1 | -1) => {
      const turnId = answeredTurn(store, { createdAtMs });
      const verdict = corrected(turnId, 'feat: other');
      store.recordVerdict(
        score === -1 ? verdict : { ...verdict, score, evidence: [], hint: null, decidedBy: 'votes' },
        null,
      );
      return turnId;
    };
    judge(monday - 1, 1);
    const edited = judge(monday, 1);
    judge(monday + week - 1, -1);
    judge(monday + week, -1);
    answeredTurn(store, { createdAtMs: T0 });
    for (const survival of [1, 0.5]) {
      const seen = userEdit(edited, survival);
      store.addObservation(seen, T0);
      store.attach(seen.observationId, edited, 'user_edit', T0, T0);
    }
    const version = store.serving();
    const none = { edits: 0, survival: 0, version };
    assert.deepEqual(store.answerGroups(100), [
      { week: '2025-12-29', answers: 1, accepted: 1, corrections: 0, ...none },
      { week: '2026-01-05', answers: 2, accepted: 1, corrections: 1, edits: 1, survival: 0.5, version },
      { week: '2026-01-12', answers: 1, accepted: 0, corrections: 1, ...none },
    ]);
    assert.equal(store.answerGroups(1).length, 1, 'the newest verdicts only');
    const texts = { answer: 'Add a parser', wanted: 'feat: other' };
    assert.deepEqual(
      store.wantedTexts(100).map((one) => [one.week, one.version, one.texts]),
      [
        ['2026-01-05', version, texts],
        ['2026-01-12', version, texts],
      ],
      'what votes accepted is nobody’s text',
    );
  });
}

export function comparisonRules(given: () => Store): void {
  it('SIDE-BY-SIDE-1: requests of main work are listed newest first, with what was wanted and who learnt from them', () => {
    const store = given();
    const judged = answeredTurn(store, {});
    const learnt = store.sample(learn(store))?.turnId;
    const open = answeredTurn(store, {});
    answeredTurn(store, { kind: 'side' });
    store.beginTurn(turn());
    store.recordVerdict({ ...corrected(judged, ''), score: 1, hint: null }, null);
    assert.deepEqual(
      store.recentRequests(10).map((one) => [one.turn.turnId, one.wanted, one.trainedBy.length]),
      [
        [open, null, 0],
        [learnt, 'feat: add a parser', 1],
        [judged, 'Add a parser', 0],
      ],
    );
    assert.equal(store.recentRequests(1).length, 1);
  });

  it('BETTER-7: reports are kept, newest first, the newest 20 of them, until everything is deleted', () => {
    const store = given();
    const changes: string[] = [];
    const stop = store.onChange((what) => changes.push(what));
    for (let n = 0; n < 22; n += 1) store.addComparison(evaluated(n), T0 + n);
    stop();
    assert.deepEqual([changes.length, changes[0]], [22, 'comparisons']);
    assert.deepEqual(store.comparisons(1), [{ at: new Date(T0 + 21).toISOString(), report: evaluated(21) }]);
    const kept = store.comparisons(100).map(({ report }) => report.seconds);
    assert.deepEqual(
      kept,
      Array.from({ length: 20 }, (_, n) => 21 - n),
    );
    store.deleteEverything(T0);
    assert.deepEqual(store.comparisons(1), []);
  });
}

function evaluated(seconds: number): EvaluationReport {
  const base = { arm: 'base' as const, version: BASE_VERSION, turns: 2, logprob: -2, correctedLogprob: null };
  return {
    splitAt: new Date(T0).toISOString(),
    version: BASE_VERSION,
    lessons: 0,
    corrected: 0,
    accepted: 2,
    answered: 1,
    arms: [{ ...base, versusBase: null, chrf: 40, chrfInterval: { low: 30, high: 50 } }],
    seconds,
  };
}

/** Everything that is come by piece by piece. */
function walk<T>(next: (after: T | null) => T[]): T[] {
  const all: T[] = [];
  for (let piece = next(null); piece.length > 0; piece = next(piece.at(-1) ?? null)) all.push(...piece);
  return all;
}

function userEdit(turnId: TurnId, survival: number): UserEditObservation {
  return {
    kind: 'user_edit',
    observationId: newObservationId(),
    observedAt: new Date(T0).toISOString(),
    turnId,
    moment: '30s',
    text: null,
    survival,
    edits: [],
  };
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
