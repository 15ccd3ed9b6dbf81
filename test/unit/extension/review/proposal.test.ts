/** Hunks of a proposal in a document: shown, decided one by one, followed through what the user types meanwhile. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '../../../../agent-server/learning/random.ts';
import { lineDifferences } from '../../../../extension/review/line-diff.ts';
import {
  decide,
  follow,
  hunkOutcome,
  linesOf,
  outcome,
  type Proposal,
  propose,
  undecided,
} from '../../../../extension/review/proposal.ts';
import { Document } from './document.ts';

const BEFORE = ['function total(prices) {', '  let sum = 0;'];
const CODE = ['  for (const price of prices) {', '    sum += price;', '  }', '  return sum;'];
const PROPOSED = ['  for (const price of prices) sum += price;', '  return round(sum);', '  // in cents'];
const AFTER = ['}'];

function opened(original: readonly string[], proposed: readonly string[], eol: '\n' | '\r\n' = '\n') {
  const document = new Document([...BEFORE, ...original, ...AFTER], eol);
  const step = propose(BEFORE.length, original, proposed);
  assert.ok(step, 'the texts are the same');
  document.apply(step.edits);
  return { document, proposal: step.proposal };
}

function decided(
  { document, proposal }: ReturnType<typeof opened>,
  indices: readonly number[],
  decision: 'accepted' | 'rejected',
): Proposal {
  const step = decide(proposal, indices, decision, document.lineAt);
  document.apply(step.edits);
  return step.proposal;
}

const left = (document: Document, proposal: Proposal) => linesOf(proposal.region, document.lineAt);

describe('A proposal under review', () => {
  it('REVIEW-1: the document holds the proposed lines, with a blank line above them for each that they replace', () => {
    const { document, proposal } = opened(['  a();', '  b();', '  c();'], ['  a();', '  d();']);
    assert.deepEqual(document.lines, [...BEFORE, '  a();', '', '', '  d();', ...AFTER]);
    assert.deepEqual(proposal.hunks, [
      {
        removed: ['  b();', '  c();'],
        added: ['  d();'],
        decision: null,
        ghosts: { start: 3, end: 5 },
        fresh: { start: 5, end: 6 },
      },
    ]);
    assert.equal(propose(0, ['a', '  '], ['a', '']), null, 'blank lines are alike');
  });

  it('REVIEW-1: is told by what is left: accepted, rejected, or edited', () => {
    const review = opened(CODE, PROPOSED);
    const all = undecided(review.proposal);
    const accepted = decided(opened(CODE, PROPOSED), all, 'accepted');
    assert.deepEqual(undecided(accepted), []);
    assert.equal(outcome(accepted, PROPOSED), 'accepted');
    assert.equal(outcome(accepted, CODE), 'rejected');
    assert.equal(outcome(accepted, [...PROPOSED, '  // mine']), 'edited');
    const [hunk] = review.proposal.hunks;
    assert.ok(hunk);
    assert.equal(hunkOutcome(hunk, hunk.added), 'accepted');
    assert.equal(hunkOutcome(hunk, ['mine']), 'edited');
  });

  it('REVIEW-2: what the user types into a hunk is part of it; what is typed around it is not', () => {
    const review = opened(['a', 'b', 'c'], ['a', 'B', 'c']);
    const { document } = review;
    let { proposal } = review;
    const type = (line: number, character: number, text: string): void => {
      const place = { line, character };
      document.change({ start: place, end: place, text });
      const followed = follow(proposal, [{ start: place, end: place, text }]);
      assert.ok(followed);
      proposal = followed;
    };
    const fresh = () => linesOf(proposal.hunks[0]?.fresh ?? { start: 0, end: 0 }, document.lineAt);
    type(4, 1, 'ee');
    type(4, 3, '\nmore');
    assert.deepEqual(fresh(), ['Bee', 'more']);
    type(0, 0, '// one\n// two\n');
    type(4, 1, '\nafter a');
    type(9, 0, '// before c\n');
    assert.deepEqual(fresh(), ['Bee', 'more']);
    type(6, 0, 'in the ghost');
    const accepted = decided({ document, proposal }, [0], 'accepted');
    assert.deepEqual(left(document, accepted), [
      'a',
      'after a',
      'in the ghost',
      'Bee',
      'more',
      '// before c',
      'c',
    ]);
    assert.equal(outcome(accepted, left(document, accepted)), 'edited');
  });

  it('REVIEW-2: is over when something larger takes its lines away, and goes on when a hunk goes', () => {
    const { proposal } = opened(['a', 'b', 'c'], ['a', 'B', 'c']);
    const change = (from: number, to: number, text: string) =>
      follow(proposal, [{ start: { line: from, character: 0 }, end: { line: to, character: 0 }, text }]);
    assert.equal(change(0, 7, ''), null);
    const [hunk] = change(3, 5, '')?.hunks ?? [];
    assert.deepEqual(
      [hunk?.ghosts, hunk?.fresh],
      [
        { start: 3, end: 3 },
        { start: 3, end: 3 },
      ],
    );
  });

  it('REVIEW-1: at the end of a document, of all of it, and with nothing left', () => {
    for (const [original, proposed] of [
      [['a', 'b'], ['a']],
      [['a'], ['a', 'b', 'c']],
      [['a', 'b'], []],
      [[''], ['a', 'b']],
    ] as const)
      for (const decision of ['accepted', 'rejected'] as const) {
        const document = new Document(original, '\r\n');
        const step = propose(0, original, proposed);
        assert.ok(step);
        document.apply(step.edits);
        const { proposal } = step;
        const last = decide(proposal, undecided(proposal), decision, document.lineAt);
        document.apply(last.edits);
        const wanted = decision === 'accepted' ? proposed : original;
        // An editor has no document without a line.
        assert.deepEqual(document.lines, wanted.length === 0 ? [''] : wanted);
      }
  });
});

describe('REVIEW-1: random proposals in documents with either line end', () => {
  const WORDS = ['a', 'b', '', '  c', '\td', 'e();', '}'];
  const pick = (random: Random, below: number) => Math.floor(random() * below);
  const someLines = (random: Random, most: number) =>
    Array.from({ length: pick(random, most) }, () => WORDS[pick(random, WORDS.length)] ?? '');

  it('all accepted is the proposal, all rejected the original, any mixture a text of its parts; and nothing else changes', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 2_000; round++) {
      const eol = round % 2 === 0 ? '\n' : '\r\n';
      const [before, after] = [someLines(random, 4), someLines(random, 4)];
      const original = ['first', ...someLines(random, 12)];
      const proposed = someLines(random, 12);
      const step = propose(before.length, original, proposed);
      if (step === null) continue;
      const document = new Document([...before, ...original, ...after], eol);
      document.apply(step.edits);
      let { proposal } = step;
      const choices = proposal.hunks.map(() =>
        round % 3 === 0 ? 'accepted' : round % 3 === 1 || random() < 0.5 ? 'rejected' : 'accepted',
      );
      // In any order, now and then several at once; between two decisions the user types above and below.
      let waiting = undecided(proposal);
      const above: string[] = [];
      while (waiting.length > 0) {
        const index = waiting[pick(random, waiting.length)] ?? 0;
        const decision = choices[index] ?? 'accepted';
        const also = waiting.filter((one) => one !== index && choices[one] === decision && random() < 0.3);
        const next = decide(proposal, [index, ...also], decision, document.lineAt);
        document.apply(next.edits);
        proposal = next.proposal;
        waiting = undecided(proposal);
        if (waiting.length === 0) break;
        const line = { line: 0, character: 0 };
        const typed = { start: line, end: line, text: `typed ${round}${eol}` };
        document.change(typed);
        above.unshift(`typed ${round}`);
        const followed = follow(proposal, [typed]);
        assert.ok(followed);
        proposal = followed;
      }
      let shift = 0;
      const wanted = [...original];
      for (const [index, { at, removed, added }] of lineDifferences(original, proposed).entries()) {
        if (choices[index] === 'rejected') continue;
        wanted.splice(at + shift, removed.length, ...added);
        shift += added.length - removed.length;
      }
      const whole = [...above, ...before, ...wanted, ...after];
      assert.deepEqual(document.lines, whole.length === 0 ? [''] : whole, `round ${round}`);
      if (wanted.length === 0) continue;
      assert.deepEqual(linesOf(proposal.region, document.lineAt), wanted, `round ${round}: the region`);
      const told = outcome(proposal, wanted);
      if (round % 3 === 0) assert.equal(told, 'accepted');
      if (round % 3 === 1) assert.equal(told, 'rejected');
    }
  });
});
