/** What is kept of a terminal's output (CAPTURE-4). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Screen } from '../../../../extension/capture/runs/screen.ts';

async function shown(...data: string[]): Promise<string> {
  const screen = new Screen();
  try {
    for (const piece of data) await screen.write(piece);
    return screen.text();
  } finally {
    screen.dispose();
  }
}

const numbered = (count: number, text: string): string =>
  Array.from({ length: count }, (_, index) => `${index} ${text}\r\n`).join('');

describe('Screen', () => {
  it('CAPTURE-4: colours, titles and marks of the shell are gone, wherever the stream was cut', async () => {
    const data =
      '\u001b]633;C\u0007\u001b]0;npm test\u0007\u001b[31m\u2716 adds up\u001b[0m\r\n\u001b[1mfail 1\u001b[22m\r\n';
    assert.equal(await shown(data), '✖ adds up\nfail 1');
    assert.equal(await shown(...data), '✖ adds up\nfail 1');
  });

  it('CAPTURE-4: a progress bar is what it was at its end', async () => {
    const bar = Array.from({ length: 100 }, (_, done) => `\r[${'#'.repeat(done)}] ${done}%`).join('');
    assert.equal(await shown(bar, '\r\u001b[2KDone.\r\n'), 'Done.');
    const spinner = 'one\r\ntwo\r\n\u001b[2A\u001b[0J3 passed\r\n';
    assert.equal(await shown(spinner), '3 passed');
  });

  it('CAPTURE-4: a long line is one line; lines of a program without a terminal keep their beginnings', async () => {
    assert.equal(await shown(`${'x'.repeat(1_000)}\r\nend`), `${'x'.repeat(1_000)}\nend`);
    assert.equal(await shown('one\ntwo\n'), 'one\ntwo');
  });

  it('CAPTURE-4: a full-screen program leaves nothing', async () => {
    assert.equal(await shown('\u001b[?1049hnano\r\n', 'a file', '\u001b[?1049l'), '');
  });

  it('CAPTURE-4: of an output longer than what is held the beginning and the end are kept, and no row twice', async () => {
    const few = (await shown(numbered(1_500, 'x'.repeat(60)))).split('\n');
    assert.deepEqual(
      [few.length, few[0], few.at(-1)],
      [1_500, `0 ${'x'.repeat(60)}`, `1499 ${'x'.repeat(60)}`],
    );

    const overlapping = (await shown(numbered(2_500, 'x'.repeat(60)))).split('\n');
    assert.deepEqual(
      overlapping.map((line) => Number.parseInt(line, 10)),
      Array.from({ length: 2_500 }, (_, index) => index),
    );

    const many = (await shown(numbered(20_000, 'x'.repeat(60)))).split('\n');
    assert.ok(many.length < 4_000, `${many.length} rows`);
    assert.ok(many.includes('[rows left out]'));
    assert.deepEqual([many[0]?.slice(0, 3), many.at(-1)?.slice(0, 7)], ['0 x', '19999 x']);
  });
});
