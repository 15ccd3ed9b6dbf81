/** REPLAY-4: the terminal shows each commit as it is judged, and no text from outside steers it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrainingRow } from '../../../agent-server/environment/replay/progress.ts';
import { LiveTable, tableHead, tableLine } from '../../../agent-server/environment/replay/table.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';

const row: TrainingRow = {
  index: 0,
  sha: 'abcdef0123456789abcdef0123456789abcdef01',
  real: 'fix(parser): handle empty input',
  proposed: 'Handle\u001b[2J it\nin two lines\u202e',
  version: weightVersion(3),
  score: -1,
  learntBy: weightVersion(4),
  state: 'done',
};

function recorded(isTTY: boolean) {
  const written: string[] = [];
  const table = new LiveTable(
    { write: (text) => void written.push(text), isTTY, columns: 120, rows: 30 },
    () => 0,
  );
  return { table, text: () => written.join('') };
}

test('REPLAY-4 a line has commit, proposal, real message, score, and the versions that answered and learnt', () => {
  const line = tableLine(row, 120);
  assert.match(line, /^abcdef0 {2}Handle it in two lines +fix\(parser\): handle empty input +-1 +v3 +v4$/);
  assert.match(tableHead(120), /^commit +proposed +real +score +by +learnt by$/);
  assert.ok(tableLine({ ...row, proposed: 'x'.repeat(500) }, 120).length <= 120);
});

test('REPLAY-4 without a terminal each commit is printed once, when it is judged', () => {
  const { table, text } = recorded(false);
  table.see({ kind: 'phase', arm: 'learn', phase: 'learning', total: 1 });
  table.see({
    kind: 'row',
    arm: 'learn',
    row: { ...row, state: 'answered', score: null, learntBy: null },
    total: 1,
  });
  assert.ok(!text().includes('abcdef0'));
  table.see({ kind: 'row', arm: 'learn', row: { ...row, state: 'judged', learntBy: null }, total: 1 });
  table.see({ kind: 'row', arm: 'learn', row, total: 1 });
  table.end();
  assert.equal(text().split('abcdef0').length - 1, 1);
  assert.ok(!text().includes('\u001b'));
});

test('REPLAY-4 on a terminal the table is drawn again in place', () => {
  const { table, text } = recorded(true);
  table.see({ kind: 'phase', arm: 'learn', phase: 'learning', total: 2 });
  table.see({ kind: 'row', arm: 'learn', row, total: 2 });
  table.end();
  assert.match(text(), /learning \[#{10}\.{10}\] 1\/2/);
  assert.ok(!text().includes('\u001b[2J'), 'a sequence from the proposal came through');
});
