import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_WORDS_CHARS } from '../../../agent-server/evidence/words.ts';
import { observe, output, read, terminal, testRun } from './outputs.ts';

const FAILING = output('pytest-v');
const FIXED = output('pytest-v-fixed');
const DELETED = output('pytest-v-deleted');
/** One test of the two alone, so that nothing else fails. */
const junit = (...cases: [name: string, outcome: 'ok' | 'fail' | 'skip'][]): string => {
  const body = { ok: '', fail: '<failure message="assert 1 == 2"/>', skip: '<skipped/>' };
  const lines = cases.map(([name, outcome]) => `<testcase name="${name}">${body[outcome]}</testcase>`);
  return `<testsuite tests="${cases.length}">${lines.join('')}</testsuite>`;
};
const diff = (...lines: string[]): string =>
  ['--- a/test/x.test.ts', '+++ b/test/x.test.ts', '@@ -1,3 +1,3 @@', ...lines].join('\n');

describe('EVID-7: what changed in the tests is what counts', () => {
  it('a test that failed and passes now: +1, whatever else still fails', () => {
    const reading = read(testRun(FIXED, { before: FAILING, exitCode: 1 }));
    assert.equal(reading.score, 1);
    assert.equal(reading.detail, '1 test that failed before passes.');
    assert.equal(reading.words, null);
  });

  it('a test that passed and fails now: -1, with its assertion and place', () => {
    const reading = read(testRun(FAILING, { before: FIXED, exitCode: 1 }));
    assert.equal(reading.score, -1);
    assert.match(
      reading.words ?? '',
      /test_takes_a_percentage\[10-180\].*test_pricing\.py:11.*assert 190 == 180/,
    );
    assert.ok((reading.words ?? '').length <= MAX_WORDS_CHARS);
  });

  for (const [name, before, now] of [
    ['go test without -v, which names no passing test', 'go-test', 'go-test-fixed'],
    ['go test -v against go test -json', 'go-test-json', 'go-test-v-fixed'],
    ['pytest without names of passing tests', 'pytest', 'pytest-fixed'],
    ['vitest, all passing', 'vitest', 'vitest-passed'],
  ] as const) {
    it(`${name}: mended +1, broken -1`, () => {
      assert.equal(read(testRun(output(now), { before: output(before) })).score, 1);
      assert.equal(read(testRun(output(before), { before: output(now) })).score, -1);
    });
  }

  it('some mended and some broken: -1, and 0 where more were mended', () => {
    const now = junit(['a', 'ok'], ['b', 'ok'], ['c', 'fail']);
    const more = junit(['a', 'fail'], ['b', 'fail'], ['c', 'ok']);
    const as = junit(['a', 'fail'], ['b', 'ok'], ['c', 'ok']);
    assert.equal(read(testRun(now, { before: more })).score, 0);
    assert.equal(read(testRun(now, { before: as })).score, -1);
  });

  it('tests that ran and do not compile or load now: -1; that run again: +1', () => {
    const broken = read(testRun(output('pytest-broken'), { before: FIXED, exitCode: 2 }));
    assert.equal(broken.score, -1);
    assert.match(broken.words ?? '', /No module named 'tax'/);
    const compile = read(
      testRun(output('cargo-test-broken'), { before: output('cargo-test'), exitCode: 101 }),
    );
    assert.equal(compile.score, -1);
    assert.match(compile.words ?? '', /src\/lib\.rs:3: mismatched types/);
    const again = read(testRun(output('vitest-passed'), { before: output('vitest-broken'), exitCode: 0 }));
    assert.equal(again.score, 1);
  });

  it('what passed before and passes now is left to a judge', () => {
    const green = output('vitest-passed');
    assert.equal(read(testRun(green, { before: green, exitCode: 0 })).score, null);
  });

  it('new tests that pass: +1 when the turn wrote them', () => {
    const before = junit(['a', 'ok']);
    const now = junit(['a', 'ok'], ['b', 'ok']);
    const testDiff = diff("+it('b', () => {", '+  expect(b()).toBe(2);', '+});');
    assert.equal(read(testRun(now, { before, testDiff })).score, 1);
    assert.equal(read(testRun(now, { before, testDiff: '' })).score, null);
  });

  it('new tests that fail: -1, but for those that were asked to fail', () => {
    const before = junit(['a', 'ok']);
    const now = junit(['a', 'ok'], ['b', 'fail']);
    assert.equal(read(testRun(now, { before })).score, -1);
    const request = 'Write a failing test that reproduces the overflow.';
    assert.equal(read(testRun(now, { before }), { request }).score, null);
    assert.equal(read(testRun(junit(['a', 'fail']), { before }), { request }).score, -1);
  });

  it('the same failures in the JSON and in the text of a runner are the same', () => {
    for (const text of [
      output('jest-verbose'),
      output('jest-verbose').replaceAll('pricing.t', 'src/pricing.t'),
    ]) {
      assert.equal(read(testRun(text, { before: output('jest-json') })).score, 0);
    }
  });

  it('a file that did not load before and is not there now was not mended', () => {
    const reading = read(testRun(output('jest'), { before: output('jest-verbose') }));
    assert.equal(reading.score, 0);
    assert.match(reading.detail, /a test file that did not load is missing/);
  });

  it('another command may have run other tests: no comparison', () => {
    const before = [
      observe(terminal('pytest a.py', 1, output('pytest').replaceAll('test_pricing', 'test_other'))),
    ];
    assert.equal(read(terminal('pytest b.py', 0, output('pytest-fixed')), { before }).score, -1);
    const green = '===== 5 passed in 0.10s =====';
    assert.equal(read(terminal('pytest b.py', 0, green), { before }).score, null);
    assert.equal(read(terminal('pytest a.py', 0, '===== 7 passed in 0.10s ====='), { before }).score, 1);
  });

  it('the run before is found in the session', () => {
    const before = [observe(terminal('pytest -v', 1, FAILING))];
    assert.equal(read(terminal('pytest -v', 1, FIXED), { before }).score, 1);
    assert.equal(read(testRun(FIXED), { before }).score, 1);
  });
});

describe('EVID-8: the same failures are 0, and -1 when the turn was to mend them', () => {
  const again = testRun(FAILING, { before: FAILING, exitCode: 1 });

  it('0 where the request was about something else', () => {
    for (const request of [
      '',
      'Add a currency column.',
      'Use a fixed width font.',
      'Make a build script.',
      'Fix the error message.',
      'Write tests for the basket.',
    ]) {
      assert.equal(read(again, { request }).score, 0, request);
    }
  });

  it('-1 where the request says so', () => {
    for (const request of [
      'Fix the failing tests.',
      'Why is test_takes_a_percentage[10-180] red?',
      'make pytest pass again',
      'The build is broken since yesterday',
    ]) {
      const reading = read(again, { request });
      assert.equal(reading.score, -1, request);
      assert.match(reading.words ?? '', /assert 190 == 180/);
    }
  });

  it('-1 where the session brought them in', () => {
    const passing = observe(terminal('pytest -v', 1, FIXED));
    const failing = observe(terminal('pytest -v', 1, FAILING));
    const one = junit(['a', 'fail']);
    const none = junit(['a', 'ok']);
    const run = (text: string) => observe(testRun(text));
    assert.equal(read(testRun(one), { before: [run(none), run(one)] }).score, -1);
    assert.equal(read(testRun(one), { before: [run(one), run(one)] }).score, 0);
    assert.equal(read(terminal('pytest -v', 1, FAILING), { before: [passing, failing] }).score, -1);
  });
});

describe('EVID-9: without an earlier run failures are -1, and passing is +1 only if asked for or added', () => {
  it('failures', () => {
    const reading = read(testRun(output('cargo-test'), { exitCode: 101 }));
    assert.equal(reading.score, -1);
    assert.match(reading.words ?? '', /src\/lib\.rs:32.*not written yet/);
  });

  it('passing', () => {
    const green = testRun(output('vitest-passed'), { exitCode: 0 });
    assert.equal(read(green).score, null);
    assert.equal(read(green, { request: 'Fix the failing test of discount.' }).score, 1);
    const testDiff = diff("+it('rounds', () => {", '+  expect(round(1.5)).toBe(2);', '+});');
    assert.equal(read(testRun(output('vitest-passed'), { exitCode: 0, testDiff })).score, 1);
  });

  it('no test at all, or a command that failed although its tests pass, is no success', () => {
    const request = 'Fix the tests';
    for (const name of ['vitest-none', 'jest-none', 'pytest-none']) {
      assert.equal(read(testRun(output(name), { exitCode: 1 }), { request }).score, null, name);
    }
    assert.equal(read(testRun(output('vitest-passed'), { exitCode: 1 }), { request }).score, null);
  });
});

describe('EVID-10: deleting or weakening a test is never success', () => {
  it('a failing test that is missing now', () => {
    for (const request of ['', 'Fix the failing tests.']) {
      const reading = read(testRun(DELETED, { before: FAILING, exitCode: 0 }), { request });
      assert.equal(reading.score, 0);
      assert.match(reading.detail, /is missing/);
    }
  });

  it('fewer tests, where only totals are known', () => {
    const totals = (failed: number, passed: number) =>
      `Tests:       ${failed} failed, ${passed} passed, ${failed + passed} total\n`;
    const fewer = read(testRun(totals(0, 4), { before: totals(2, 4) }));
    assert.equal(fewer.score, 0);
    assert.match(fewer.detail, /2 tests that ran before are missing/);
    assert.equal(read(testRun(totals(0, 6), { before: totals(2, 4) })).score, 1);
  });

  it('a failing test that is skipped now', () => {
    const before = junit(['a', 'ok'], ['b', 'fail']);
    const reading = read(testRun(junit(['a', 'ok'], ['b', 'skip']), { before }));
    assert.equal(reading.score, 0);
    assert.match(reading.detail, /skipped/);
  });

  it('where it is known that no test file changed, fewer tests were only run', () => {
    const before = junit(['a', 'ok'], ['b', 'fail']);
    assert.equal(read(testRun(junit(['b', 'ok']), { before, testDiff: '' })).score, 1);
    assert.equal(read(testRun(junit(['b', 'ok']), { before })).score, 0);
  });

  const before = junit(['a', 'ok'], ['b', 'fail']);
  const green = junit(['a', 'ok'], ['b', 'ok']);
  for (const [what, testDiff] of [
    ['switched off: it.skip', diff("-it('b', () => {", "+it.skip('b', () => {")],
    ['switched off: only another one', diff("-it('a', () => {", "+it.only('a', () => {")],
    ['switched off: xfail', diff('+@pytest.mark.xfail', ' def test_b():')],
    ['switched off: @Disabled', diff('+    @Disabled', '     void b() {')],
    ['switched off: #[ignore]', diff('+    #[ignore]', '     fn b() {')],
    ['switched off: t.Skip', diff('+\tt.Skip("flaky")')],
    ['assertion was removed', diff('-  expect(discount(200, 10)).toBe(180);')],
    ['assertion was removed', diff('-    assert discount(200, 10) == 180', '+    discount(200, 10)')],
    [
      'assertion was edited',
      diff('-  expect(discount(200, 10)).toBe(180);', '+  expect(discount(200, 10)).toBe(190);'),
    ],
    ['assertion was edited', diff('-  expect(x).toBe(180);', '+  expect(x).toBeTruthy();')],
    ['expected value was edited', diff('-    total: 180,', '+    total: 190,')],
    ['test "b" was removed', diff("-it('b', () => {", '-  run();', '-});')],
    ['was deleted', ['--- a/test/x.test.ts', '+++ /dev/null', '@@ -1 +0,0 @@', "-it('b', b);"].join('\n')],
    [
      'snapshot was edited',
      ['--- a/__snapshots__/x.snap', '+++ b/__snapshots__/x.snap', '-<b>1</b>', '+<i>1</i>'].join('\n'),
    ],
  ] as const) {
    it(what, () => {
      const reading = read(testRun(green, { before, testDiff }), { request: 'Fix the failing test b.' });
      assert.equal(reading.score, 0, reading.detail);
      assert.ok(reading.detail.includes(what.split(':')[0] ?? what), reading.detail);
    });
  }

  it('moving, indenting or adding assertions is no weakening', () => {
    for (const testDiff of [
      diff('-expect(x).toBe(180);', '+  expect(x).toBe(180);'),
      diff('+  expect(y).toBe(1);'),
      diff("-import { a } from './a.ts';", "+import { a } from './b.ts';\n+import { c } from './c.ts';"),
      diff('-// 180 is right', '+// 190 is right'),
    ]) {
      assert.equal(read(testRun(green, { before, testDiff })).score, 1, testDiff);
    }
  });
});
