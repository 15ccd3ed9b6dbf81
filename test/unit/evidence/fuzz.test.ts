import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { it } from 'node:test';
import { asksToFix } from '../../../agent-server/evidence/intent.ts';
import { sameTokens } from '../../../agent-server/evidence/plain-tokens.ts';
import { readProblems } from '../../../agent-server/evidence/problems/read-problems.ts';
import { readTestDiff } from '../../../agent-server/evidence/test-diff.ts';
import { readTestOutput } from '../../../agent-server/evidence/tests/read-test-output.ts';
import { OUTPUTS, observe, output, read, terminal, testRun } from './outputs.ts';

const MAX_CHARS = 65_536;
/** Reading 64 KB takes 5 to 50 ms. Half a minute is what only a runaway pattern needs, on the slowest machine. */
const LIMIT_MS = 30_000;
const names = globSync('*.txt', { cwd: OUTPUTS }).map((file) => basename(file, '.txt'));

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const full = (piece: string): string => piece.repeat(Math.ceil(MAX_CHARS / piece.length)).slice(0, MAX_CHARS);

/** Everything that takes text in; what it says of nonsense is open, that it comes back is not. */
function readAll(text: string): void {
  for (const report of readTestOutput(text)) {
    for (const count of [report.passed, report.failed, report.skipped]) {
      assert.ok(Number.isSafeInteger(count) && count >= 0);
    }
  }
  for (const one of readProblems(text)) assert.ok(one.line === null || one.line > 0);
  readTestDiff(text);
  sameTokens(text.slice(0, MAX_CHARS / 4), text.slice(0, MAX_CHARS / 4 - 1));
  asksToFix(text);
}

it('EVID-19: outputs cut, spliced and sprinkled with random bytes never throw', { timeout: LIMIT_MS }, () => {
  const random = seeded(19);
  for (const name of names) {
    const text = output(name);
    for (let round = 0; round < 6; round++) {
      const [from, to] = [Math.floor(random() * text.length), Math.floor(random() * text.length)];
      const other = output(names[Math.floor(random() * names.length)] ?? name);
      readAll(text.slice(0, from));
      readAll(text.slice(0, from) + other.slice(to % other.length));
      const bytes = Array.from({ length: 20 }, () => String.fromCharCode(Math.floor(random() * 0x500)));
      readAll(text.slice(0, from) + bytes.join('') + text.slice(from));
    }
  }
});

it('EVID-19: random bytes never throw', { timeout: LIMIT_MS }, () => {
  const random = seeded(7);
  for (let round = 0; round < 20; round++) {
    const codes = Array.from({ length: 4_000 }, () =>
      Math.floor(random() * (round % 2 === 0 ? 128 : 0x10000)),
    );
    readAll(String.fromCharCode(...codes));
  }
});

/** Beginnings of what a recogniser looks for, repeated and never finished. */
const TRAPS = [
  ...[
    'a',
    ' ',
    '\t',
    '"',
    '"\\',
    '(',
    '{',
    '[',
    '<',
    '=',
    '/',
    '\n',
    '\n ',
    '1',
    '1:1 ',
    ':1:',
    ': ',
    '\u001b[',
    '\u001b]',
    '&#1;',
    'a:\n ',
  ],
  ...['{"ancestorTitles"', '{"filePath":', '{"Action":', '<testsuite a="', '<testsuite>', '<![CDATA['],
  ...['FAILED a.py::', '____ a ____\n', 'E  x\n', '1 failed, ', '  1) a', '1..1\nnot ok\n', ' FAIL  a > b\n'],
  ...[
    '  ● a › b\n',
    '--- FAIL: T (0.0s)\n',
    '✖ a\n',
    '▶ a\n',
    'TAP version 13\nnot ok 1 - a\n  ---\n',
    'at (a:1:1',
  ],
  ...[
    'a:1:1: error: ',
    'a(1,1): error TS1: x\n',
    'error: x\n',
    '+++ a\n-it("a\n+expect(1)\n',
    'fix ',
    'import a\n',
  ],
];
/** Totals of every runner, so that no recogniser stops early. */
const TOTALS =
  '\n1..1\nok 1\n<testsuite tests="1">\nTests  1 failed (1)\nTests: 1 total\n1 failed in 1s\n  2 passing\nℹ tests 1\n' +
  'ℹ pass 1\ntest result: ok. 1 passed; 1 failed; 1 ignored;\n"numTotalTests":1\nFAIL\tpkg\t0.1s\n';

it('EVID-19: 64 KB made to be slow are read in bounded time', { timeout: 2 * LIMIT_MS }, () => {
  for (const trap of TRAPS) {
    const text = full(trap);
    for (const made of [text, text.slice(TOTALS.length) + TOTALS]) {
      const startedMs = performance.now();
      readAll(made);
      assert.ok(performance.now() - startedMs < LIMIT_MS / 2, JSON.stringify(trap));
    }
  }
});

it('EVID-19: a long session of large outputs is read in bounded time', { timeout: LIMIT_MS }, () => {
  const text = full(output('pytest-v'));
  const before = Array.from({ length: 200 }, () => observe(testRun(text)));
  assert.equal(read(terminal('pytest', 1, text), { before }).score, 0);
  assert.equal(read(testRun(text, { before: text }), { before }).score, 0);
});
