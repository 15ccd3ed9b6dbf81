/** The list of turns in the panel, less its drawing: pages, rows in sight, shades of tokens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PanelTurn } from '../../../agent-server/protocol/panel.ts';
import { PanelTurn as PanelTurnSchema } from '../../../agent-server/protocol/panel.ts';
import { shadesOf, signedNumber } from '../../../extension/webview/token-shades.ts';
import { TurnPages } from '../../../extension/webview/turn-pages.ts';
import { visibleRows } from '../../../extension/webview/virtual-rows.ts';

const PAGE = 50;

/** A store of turns by number, newest first, as the agent-server pages it. */
class Turns {
  readonly #all: { seq: number; turn: PanelTurn }[];

  constructor(count: number) {
    this.#all = Array.from({ length: count }, (_, n) => ({ seq: n, turn: turnOf(n) })).reverse();
  }

  add(seq: number): void {
    this.#all.unshift({ seq, turn: turnOf(seq) });
  }

  page(before: number | null) {
    const from = this.#all.filter(({ seq }) => before === null || seq < before);
    const turns = from.slice(0, PAGE);
    const last = turns.at(-1)?.seq ?? null;
    return {
      turns: turns.map(({ turn }) => turn),
      next: turns.length < from.length ? last : null,
      searched: turns.length,
      total: this.#all.length,
    };
  }
}

function turnOf(seq: number): PanelTurn {
  return PanelTurnSchema.parse({
    turnId: crypto.randomUUID(),
    createdAt: '2026-01-01T00:00:00Z',
    subject: 'Chat',
    repository: null,
    client: null,
    version: 'policy@v0',
    proposal: `answer ${seq}`,
    outcome: 'pending',
    takenFor: 'main',
    correction: null,
    score: null,
    decidedBy: null,
    hint: null,
    sampleState: 'none',
    excluded: false,
    batchId: null,
    learntBy: null,
    notes: [],
  });
}

/** Asks as long as anything is missing of the rows in sight. Returns how many pages that took. */
function fill(pages: TurnPages, store: Turns, first: number, last: number): number {
  for (let asked = 0; ; asked += 1) {
    const wanted = pages.wanted(first, last);
    if (wanted === undefined) return asked;
    assert.ok(asked < 1_000, 'it comes to an end');
    pages.put(wanted, store.page(wanted.before));
    pages.trim(first, last);
  }
}

test('PANEL-5: scrolling asks for what comes into sight, holds a bounded part of it, and finds it again', () => {
  const store = new Turns(10_000);
  const pages = new TurnPages();
  assert.equal(fill(pages, store, 0, 30), 1, 'a window takes one page');
  for (let row = 0; row < 9_990; row += 30) fill(pages, store, row, row + 30);
  assert.deepEqual([pages.count, pages.ended, pages.total], [10_000, true, 10_000]);
  assert.equal(pages.row(9_999)?.proposal, 'answer 0');
  assert.equal(pages.row(0), undefined, 'what is far away was let go of');
  assert.equal(fill(pages, store, 0, 30), 1, 'and is asked for again');
  assert.equal(pages.row(0)?.proposal, 'answer 9999');
  assert.equal(pages.count, 10_000, 'without losing the place of the rest');
});

test('PANEL-5: what is new comes in at the top, and no row stands twice', () => {
  const store = new Turns(120);
  const pages = new TurnPages();
  fill(pages, store, 0, 120);
  assert.equal(pages.count, 120);
  store.add(120);
  pages.changed();
  fill(pages, store, 0, 30);
  assert.equal(pages.row(0)?.proposal, 'answer 120');
  fill(pages, store, 0, 121);
  const rows = Array.from({ length: pages.count }, (_, index) => pages.row(index)?.proposal);
  assert.equal(new Set(rows).size, 121);
});

test('PANEL-5: an answer that comes too late for its place is dropped', () => {
  const store = new Turns(120);
  const pages = new TurnPages();
  fill(pages, store, 0, 10);
  const late = { page: 1, before: 3 };
  pages.put(late, store.page(late.before));
  assert.equal(pages.count, 50);
});

test('PANEL-5: of 100,000 rows those in sight are drawn, and a few around them', () => {
  const view = { height: 600, rowHeight: 50, count: 100_000 };
  assert.deepEqual(visibleRows({ ...view, top: -200 }), { first: 0, last: 16 });
  assert.deepEqual(visibleRows({ ...view, top: 50 * 50_000 }), { first: 49_992, last: 50_020 });
  assert.deepEqual(visibleRows({ ...view, top: 50 * 100_000 }), { first: 99_992, last: 100_000 });
  assert.deepEqual(visibleRows({ ...view, top: 0, count: 0 }), { first: 0, last: 0 });
});

test('PANEL-6: a token’s push is told by sign and by one of four shades of its row', () => {
  const token = (advantage: number | null, weight = 0) => ({
    text: 'a',
    advantage,
    weight,
    alternative: null,
  });
  assert.deepEqual(shadesOf([token(1), token(-0.6), token(0.1), token(0.001), token(null)]), [
    { sign: 1, level: 4 },
    { sign: -1, level: 3 },
    { sign: 1, level: 1 },
    { sign: 0, level: 0 },
    { sign: 0, level: 0 },
  ]);
  assert.deepEqual(shadesOf([token(null, 1)]), [{ sign: 1, level: 4 }]);
  assert.deepEqual(shadesOf([token(0)]), [{ sign: 0, level: 0 }]);
  assert.deepEqual([0.25, -0.012, 0].map(signedNumber), ['+0.25', '−0.012', '0.00']);
});
