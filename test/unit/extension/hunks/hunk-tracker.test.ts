/** An agent's text is found again after whatever a user, a formatter or git does to it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../../../agent-server/learning/random.ts';
import { type Hunk, HunkTracker, MAX_HUNKS } from '../../../../extension/capture/hunks/hunk-tracker.ts';
import { HunkWatch } from '../../../../extension/capture/hunks/hunk-watch.ts';
import type { Change } from '../../../../extension/capture/hunks/span.ts';

const PROPOSED = 'function total(items) {\n  const sum = items.reduce(add, 0);\n  return sum;\n}';
const HUNK: Hunk = { id: 'h', turnId: 't', edit: 0, proposed: PROPOSED };
const BEFORE = "import { add } from './add.js';\n\n";
const AFTER = '\n\nexport const empty = total([]);\n';

/** Documents that tell a tracker of their changes, as an editor does. */
class Desk {
  readonly tracker = new HunkTracker();
  readonly texts = new Map<string, string>();

  constructor(text: string = BEFORE + PROPOSED + AFTER) {
    this.texts.set('a.js', text);
    const start = text.indexOf(PROPOSED);
    this.tracker.add(HUNK, { document: 'a.js', span: { start, end: start + PROPOSED.length } });
  }

  edit(changes: readonly Change[], document = 'a.js'): void {
    const text = changes
      .toSorted((a, b) => b.offset - a.offset)
      .reduce(
        (now, { offset, removed, text }) => now.slice(0, offset) + text + now.slice(offset + removed),
        this.texts.get(document) ?? '',
      );
    this.texts.set(document, text);
    this.tracker.change(document, changes);
  }

  /** The first `wanted` becomes `text`. */
  replace(wanted: string, text: string, document = 'a.js'): void {
    const offset = (this.texts.get(document) ?? '').indexOf(wanted);
    assert.ok(offset >= 0, wanted);
    this.edit([{ offset, removed: wanted.length, text }], document);
  }

  get text(): string | null {
    const found = this.tracker.look('h', (document) => this.texts.get(document) ?? null);
    return found.state === 'here' ? found.text : null;
  }

  get survival(): number {
    return this.tracker.survival('h', (document) => this.texts.get(document) ?? null);
  }
}

describe('HunkTracker', () => {
  it('follows typing before, in and after a hunk, and counts what is left of its lines', () => {
    const desk = new Desk();
    desk.replace('import', '// Till\nimport');
    desk.replace('empty', 'nothing');
    assert.equal(desk.text, PROPOSED);
    desk.replace('reduce(add, 0)', 'reduce(add, 1)');
    assert.equal(desk.text, PROPOSED.replace('0', '1'));
    assert.equal(desk.survival, 3 / 4);
  });

  it('takes a line typed before or after the hunk for the user’s own, and what continues its lines for a change', () => {
    const desk = new Desk();
    const at = BEFORE.length;
    desk.edit([{ offset: at, removed: 0, text: '// total\n' }]);
    desk.edit([{ offset: at + 9 + PROPOSED.length, removed: 0, text: '\n// end' }]);
    assert.equal(desk.text, PROPOSED);
    desk.edit([{ offset: at + 9, removed: 0, text: 'export ' }]);
    assert.equal(desk.text, `export ${PROPOSED}`);
  });

  it('finds it in a document that a formatter wrote anew, and sees no correction in that', () => {
    const desk = new Desk();
    const formatted = (desk.texts.get('a.js') ?? '').replaceAll('\n  ', '\n\t').replaceAll("'", '"');
    desk.edit([{ offset: 0, removed: (desk.texts.get('a.js') ?? '').length, text: formatted }]);
    assert.equal(desk.text, PROPOSED.replaceAll('\n  ', '\n\t'));
    assert.equal(desk.survival, 1);
  });

  it('is gone when it is deleted, and back when that is undone', () => {
    const desk = new Desk();
    desk.replace(PROPOSED, '');
    assert.equal(desk.text, null);
    assert.equal(desk.survival, 0);
    desk.edit([{ offset: BEFORE.length, removed: 0, text: PROPOSED }]);
    assert.equal(desk.text, PROPOSED);
  });

  it('knows what the user put in its place', () => {
    const desk = new Desk();
    desk.replace(PROPOSED, 'const total = sumOf;');
    assert.equal(desk.text, 'const total = sumOf;');
    assert.equal(desk.survival, 0);
  });

  it('follows a cut and paste into another document, and that document’s new name', () => {
    const desk = new Desk();
    desk.texts.set('b.js', '// b\n');
    desk.replace(PROPOSED, '');
    desk.edit([{ offset: 5, removed: 0, text: `${PROPOSED}\n` }], 'b.js');
    assert.equal(desk.text, PROPOSED);
    desk.tracker.renamed('b.js', 'c.js');
    desk.texts.set('c.js', desk.texts.get('b.js') ?? '');
    desk.texts.delete('b.js');
    assert.equal(desk.text, PROPOSED);
  });

  it('is gone after a checkout of what was there before, and back with the branch', () => {
    const desk = new Desk();
    const full = desk.texts.get('a.js') ?? '';
    desk.tracker.replaced('a.js', BEFORE + AFTER);
    desk.texts.set('a.js', BEFORE + AFTER);
    assert.equal(desk.text, null);
    desk.tracker.replaced('a.js', full);
    desk.texts.set('a.js', full);
    assert.equal(desk.text, PROPOSED);
  });

  it('keeps its place through ten thousand random edits around and inside it', () => {
    const random = seededRandom(7);
    const pick = (below: number): number => Math.floor(random() * below);
    for (let round = 0; round < 100; round++) {
      const desk = new Desk();
      // What is the hunk's is marked beside the text, character by character.
      let marks = [...(desk.texts.get('a.js') ?? '')].map(
        (_, at) => at >= BEFORE.length && at < BEFORE.length + PROPOSED.length,
      );
      for (let step = 0; step < 100; step++) {
        const text = desk.texts.get('a.js') ?? '';
        const [first, last] = [marks.indexOf(true), marks.lastIndexOf(true)];
        if (first < 0) break;
        const inside = random() < 0.5;
        const [low, high] = inside
          ? [first + 1, last]
          : random() < 0.5
            ? [0, first]
            : [last + 1, text.length];
        if (high <= low) continue;
        const offset = low + pick(high - low);
        const removed = Math.min(pick(4), high - offset);
        const insert = 'xyz\n'.slice(0, pick(5));
        if (offset === first || offset === last + 1) continue;
        desk.edit([{ offset, removed, text: insert }]);
        marks = [
          ...marks.slice(0, offset),
          ...Array.from(insert, () => inside),
          ...marks.slice(offset + removed),
        ];
        const [from, to] = [marks.indexOf(true), marks.lastIndexOf(true) + 1];
        const found = desk.tracker.look('h', (document) => desk.texts.get(document) ?? null);
        assert.ok(found.state === 'here');
        assert.deepEqual(found.span, { start: from, end: to });
      }
    }
  });

  it('lets the oldest hunk go when there are too many', () => {
    const tracker = new HunkTracker();
    const add = (id: string) =>
      tracker.add({ ...HUNK, id }, { document: 'a.js', span: { start: 0, end: 1 } });
    for (let index = 0; index < MAX_HUNKS; index++) assert.equal(add(`h${index}`), undefined);
    assert.equal(add('one more')?.id, 'h0');
    assert.equal(tracker.hunks().length, MAX_HUNKS);
  });

  it('CAP-10: of a file that turns out to be ignored nothing is told, of the turn’s other files it is', () => {
    const desk = new Desk();
    const watch = new HunkWatch(desk.tracker, (document) => desk.texts.get(document) ?? null);
    desk.texts.set('secret.js', PROPOSED);
    const span = { start: 0, end: PROPOSED.length };
    desk.tracker.add({ ...HUNK, id: 'other' }, { document: 'secret.js', span });
    desk.tracker.add({ ...HUNK, id: 'alone', turnId: 'u' }, { document: 'secret.js', span });
    watch.arrived('t', 'h', 0);
    watch.arrived('t', 'other', 0);
    watch.arrived('u', 'alone', 0);
    const ignored = desk.tracker.removeIn('secret.js');
    assert.deepEqual(ignored, ['other', 'alone']);
    for (const id of ignored) watch.removed(id);
    desk.texts.set('secret.js', '');
    assert.deepEqual(watch.due(30_000), [{ turnId: 't', moment: '30s', survival: 1 }]);
    assert.deepEqual(desk.tracker.documents(), ['a.js']);
  });
});
