/** Edits are recognised when they arrive, where they arrive, and only where they were announced. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProposedEdit } from '../../../../agent-server/protocol/edits.ts';
import { ExpectedEdits } from '../../../../extension/capture/hunks/expected-edits.ts';
import { HunkTracker } from '../../../../extension/capture/hunks/hunk-tracker.ts';
import { HunkWatch } from '../../../../extension/capture/hunks/hunk-watch.ts';

const EDIT: ProposedEdit = { path: 'src/a.ts', before: 'return 1;', after: '  return total(items);' };
const MINUTE_MS = 60_000;

describe('ExpectedEdits', () => {
  it('finds an edit where it came, though the same text stood elsewhere before', () => {
    const expected = new ExpectedEdits();
    expected.expect('t', [EDIT], 0);
    const text = `${EDIT.after}\nfunction f() {\n${EDIT.after}\n}`;
    const offset = text.lastIndexOf(EDIT.after);
    assert.deepEqual(expected.arrived('/w/src/a.ts', [{ offset: 0, removed: 0, text: ' ' }], 'x', 1), []);
    const [arrived, ...others] = expected.arrived(
      '/w/src/a.ts',
      [{ offset, removed: 9, text: EDIT.after }],
      text,
      1,
    );
    assert.deepEqual([arrived?.span, others], [{ start: offset, end: offset + EDIT.after.length }, []]);
    assert.deepEqual(expected.arrived('/w/src/a.ts', null, text, 2), [], 'once');
  });

  it('waits on the disk for what is to be replaced to be gone', () => {
    const expected = new ExpectedEdits();
    expected.expect('t', [EDIT], 0);
    const elsewhere = `${EDIT.after}\nfunction f() {\n  return 1;\n}`;
    assert.deepEqual(expected.arrived('/w/src/a.ts', null, elsewhere, 1), []);
    assert.equal(expected.arrived('/w/src/a.ts', null, elsewhere.replace('return 1;', ''), 2).length, 1);
  });

  it('knows it in Windows’ lines and paths, and after the agent’s formatter', () => {
    const edit = { path: 'C:\\w\\src\\a.ts', before: null, after: 'const a = 1;\nconst b = 2;\n' };
    for (const text of ['const a = 1;\r\nconst b = 2;\r\n', 'const a = 1\nconst b = 2\n']) {
      const expected = new ExpectedEdits();
      expected.expect('t', [edit], 0);
      assert.equal(expected.arrived('C:/w/src/a.ts', null, text, 1).length, 1);
    }
  });

  it('never reads what was not named, gives up after ten minutes, and follows no deletion and no notebook', () => {
    const expected = new ExpectedEdits();
    expected.expect('t', [EDIT, { path: 'src/b.ts', before: 'x', after: '' }], 0);
    expected.expect('t', [{ ...EDIT, path: 'src/c.ipynb' }], 0);
    assert.ok(!expected.concern('/w/src/c.ipynb', 1));
    assert.ok(expected.concern('/w/src/a.ts', 1));
    assert.ok(!expected.concern('/w/src/b.ts', 1));
    assert.ok(!expected.concern('/w/other/a.ts', 1));
    assert.ok(!expected.concern('/w/src/a.ts', 11 * MINUTE_MS));
    assert.deepEqual(expected.arrived('/w/src/a.ts', null, EDIT.after, 11 * MINUTE_MS), []);
  });
});

describe('HunkWatch', () => {
  it('looks after 30 s and 5 min, and not any more once all of it is committed', () => {
    const texts = new Map([['a', 'one line;\ntwo lines;\nthree lines;']]);
    const textOf = (document: string): string | null => texts.get(document) ?? null;
    const tracker = new HunkTracker();
    const watch = new HunkWatch(tracker, textOf);
    const proposed = texts.get('a') ?? '';
    const place = { document: 'a', span: { start: 0, end: proposed.length } };
    tracker.add({ id: 'h', turnId: 't', edit: 0, proposed }, place);
    watch.arrived('t', 'h', 0);
    assert.equal(watch.nextDueMs(), 30_000);
    assert.equal(watch.arrivals('t'), 1);
    assert.deepEqual(watch.due(29_999), []);
    assert.deepEqual(watch.due(30_000), [{ turnId: 't', moment: '30s', survival: 1 }]);
    assert.deepEqual(watch.due(31_000), []);
    texts.set('a', 'one line;\nzwei;\nthree lines;');
    tracker.change('a', [{ offset: 10, removed: 10, text: 'zwei;' }]);
    assert.deepEqual(watch.due(6 * MINUTE_MS), [{ turnId: 't', moment: '5min', survival: 2 / 3 }]);
    assert.equal(watch.nextDueMs(), undefined);
    watch.arrived('t', 'h', 7 * MINUTE_MS);
    watch.set('t', 'h', { kind: 'committed', sha: 'c', share: 1, text: null, settled: true });
    assert.equal(watch.nextDueMs(), undefined);
    watch.forget('t');
    assert.deepEqual(tracker.hunks(), []);
  });
});
