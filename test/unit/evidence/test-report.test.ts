import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestReport, TestTool } from '../../../agent-server/evidence/test-report.ts';
import { readTestOutput } from '../../../agent-server/evidence/tests/read-test-output.ts';
import { output } from './outputs.ts';

interface Expected {
  tool: TestTool;
  /** passed, failed, skipped */
  counts: [number, number, number];
  /** Of one failing test: end of its name, part of its message, its place. */
  failing?: [name: string, message: string, location: string | null];
  failures?: number;
  broken?: string;
}

const JS: Expected['failing'] = ['takes a percentage', '190', 'pricing.test.js:'];
const PY: Expected['failing'] = [
  'test_takes_a_percentage[10-180]',
  'assert 190 == 180',
  'test_pricing.py:11',
];
const CS: Expected['failing'] = [
  'Shop.Tests.PricingTests.TakesAPercentage',
  'Assert.Equal() Failure: Values differ Expected: 180 Actual: 190',
  '/home/dev/shop/dotnet/tests/PricingTests.cs:15',
];
const JS_COUNTS: Expected['counts'] = [2, 3, 1];
const VITEST: Expected['failing'] = [
  'pricing.test.mjs > discount > takes a percentage',
  'AssertionError: expected 190 to be 180',
  'pricing.test.mjs:15',
];
const GO: Expected['failing'] = [
  'example.com/shop TestDiscount/ten_percent',
  'Discount(200, 10) = 190, want 180',
  'pricing_test.go:18',
];

const CASES: Readonly<Record<string, Expected>> = {
  vitest: { tool: 'vitest', counts: JS_COUNTS, failing: VITEST },
  'vitest-verbose': { tool: 'vitest', counts: JS_COUNTS, failing: VITEST },
  'vitest-color': {
    tool: 'vitest',
    counts: JS_COUNTS,
    failing: VITEST,
    broken: "Cannot find module './tax.mjs'",
  },
  'vitest-passed': { tool: 'vitest', counts: [5, 0, 1] },
  'vitest-broken': {
    tool: 'vitest',
    counts: [0, 0, 0],
    broken: "broken.test.mjs: Error: Cannot find module './tax.mjs'",
  },
  'vitest-json': {
    tool: 'vitest',
    counts: JS_COUNTS,
    failing: [
      'discount > takes a percentage',
      'expected 190 to be 180',
      '/home/dev/shop/vitest/pricing.test.mjs:15',
    ],
    broken: "Cannot find module './tax.mjs'",
  },
  'vitest-junit': {
    tool: 'junit',
    counts: JS_COUNTS,
    failing: [
      'pricing.test.mjs discount > takes a percentage',
      'expected 190 to be 180',
      'pricing.test.mjs:15',
    ],
    broken: "Cannot find module './tax.mjs'",
  },
  'vitest-tap': {
    tool: 'tap',
    counts: JS_COUNTS,
    failing: [
      'pricing.test.mjs > discount > takes a percentage',
      'expected 190 to be 180',
      'pricing.test.mjs:15',
    ],
  },
  jest: {
    tool: 'jest',
    counts: JS_COUNTS,
    failing: ['discount > takes a percentage', 'Expected: 180 Received: 190', 'pricing.test.js:14'],
  },
  'jest-verbose': { tool: 'jest', counts: JS_COUNTS, failing: JS, broken: "Cannot find module './tax'" },
  'jest-json': { tool: 'jest', counts: JS_COUNTS, failing: JS, broken: "Cannot find module './tax'" },
  'jest-broken': { tool: 'jest', counts: [0, 0, 0], broken: "broken.test.js: Cannot find module './tax'" },
  mocha: {
    tool: 'mocha',
    counts: JS_COUNTS,
    failing: ['discount > takes a percentage', '190 !== 180', 'pricing.test.js:15'],
  },
  'mocha-tap': { tool: 'tap', counts: JS_COUNTS, failing: JS },
  'mocha-xunit': { tool: 'junit', counts: JS_COUNTS, failing: JS },
  'node-spec': { tool: 'node-test', counts: JS_COUNTS, failing: JS },
  'node-tap': {
    tool: 'tap',
    counts: JS_COUNTS,
    failing: ['discount > takes a percentage', '190 !== 180', 'pricing.test.js:16'],
  },
  'node-junit': { tool: 'junit', counts: JS_COUNTS, failing: JS },
  pytest: { tool: 'pytest', counts: [2, 3, 2], failing: PY },
  'pytest-q': { tool: 'pytest', counts: [2, 3, 2], failing: PY },
  'pytest-v': { tool: 'pytest', counts: [2, 3, 2], failing: PY },
  'pytest-short': { tool: 'pytest', counts: [2, 3, 2], failing: PY },
  'pytest-color': { tool: 'pytest', counts: [2, 3, 2], failing: PY },
  'pytest-tbno': { tool: 'pytest', counts: [2, 3, 2], failing: [PY[0], PY[1], null] },
  'pytest-junit': { tool: 'junit', counts: [2, 3, 2], failing: PY },
  'pytest-broken': {
    tool: 'pytest',
    counts: [0, 0, 0],
    broken: "broken_import.py: ModuleNotFoundError: No module named 'tax'",
  },
  'go-test': { tool: 'go-test', counts: [0, 2, 0], failing: GO, failures: 2 },
  'go-test-v': { tool: 'go-test', counts: [2, 1, 1], failing: GO, failures: 1 },
  'go-test-json': { tool: 'go-test', counts: [2, 1, 1], failing: GO, failures: 1 },
  'go-test-broken': {
    tool: 'go-test',
    counts: [0, 1, 0],
    failing: GO,
    failures: 1,
    broken: 'imported and not used: "os"',
  },
  'cargo-test': {
    tool: 'cargo-test',
    counts: [2, 3, 1],
    failing: ['tests::takes_a_percentage', 'ten percent of 200 left: 190 right: 180', 'src/lib.rs:23'],
  },
  'dotnet-test': { tool: 'dotnet-test', counts: [2, 1, 1], failing: CS, failures: 1 },
  'dotnet-test-terminal': { tool: 'dotnet-test', counts: [2, 1, 1], failing: CS, failures: 1 },
};

function check(report: TestReport | undefined, expected: Expected): void {
  assert.ok(report !== undefined);
  assert.equal(report.tool, expected.tool);
  assert.deepEqual([report.passed, report.failed, report.skipped], expected.counts);
  const failures = report.cases.filter((one) => one.outcome === 'failed');
  if (expected.failing === undefined) assert.equal(failures.length, 0);
  else {
    const [name, message, location] = expected.failing;
    assert.equal(failures.length, expected.failures ?? 3);
    const found = failures.find((one) => one.name.endsWith(name));
    assert.ok(found !== undefined, name);
    assert.ok(found.message?.includes(message), `${name}: ${found.message}`);
    if (location === null) assert.equal(found.location, null);
    else assert.ok(found.location?.includes(location), `${name} at ${found.location}`);
  }
  if (expected.broken === undefined) assert.deepEqual(report.broken, []);
  else assert.ok(report.broken[0]?.includes(expected.broken), report.broken[0]);
}

describe('EVID-5: counts, failing names, messages and places are read from what runners print', () => {
  for (const [name, expected] of Object.entries(CASES)) {
    it(name, () => {
      const reports = readTestOutput(output(name));
      assert.equal(reports.length, 1);
      check(reports[0], expected);
    });
    it(`${name}, with Windows line ends, between other output`, () => {
      const text = `> shop@1.0.0 test\n> run\n\n${output(name)}\nnpm error Lifecycle script failed`;
      const reports = readTestOutput(text.replaceAll('\n', '\r\n'));
      assert.equal(reports.length, 1);
      check(reports[0], expected);
    });
  }
});

it('EVID-5: several reports in one output are read each by its form', () => {
  const reports = readTestOutput(`${output('go-test-v')}\n${output('pytest')}\n${output('vitest')}`);
  assert.deepEqual(reports.map((one) => one.tool).sort(), ['go-test', 'pytest', 'vitest']);
  assert.deepEqual(reports.map((one) => one.failed).sort(), [1, 3, 3]);
});

it('EVID-5: runs of one tool in one output add up', () => {
  const [report] = readTestOutput(`${output('vitest-passed')}\n${output('vitest-passed')}`);
  assert.equal(report?.passed, 10);
});

describe('EVID-5: a report whose middle was cut out keeps its totals', () => {
  for (const name of ['vitest', 'jest', 'mocha', 'pytest', 'node-spec', 'dotnet-test', 'jest-json']) {
    it(name, () => {
      const text = output(name);
      const cut = `${text.slice(0, text.length * 0.3)}\n[...]\n${text.slice(text.length * 0.8)}`;
      const [report] = readTestOutput(cut);
      const [, failed] = CASES[name]?.counts ?? [];
      assert.equal(report?.failed, failed);
    });
  }
  it('JUnit XML that lost a test in the middle has the totals of its root', () => {
    const text = output('pytest-junit');
    const [report] = readTestOutput(text.slice(0, 900) + text.slice(2200));
    assert.deepEqual([report?.passed, report?.failed, report?.skipped], [2, 3, 2]);
  });
  it('JUnit XML without its end has the totals of its root', () => {
    const text = output('pytest-junit');
    const [report] = readTestOutput(text.slice(0, text.length * 0.6));
    assert.deepEqual([report?.passed, report?.failed, report?.skipped], [2, 3, 2]);
  });
});

it('EVID-5: JUnit XML defines no entities and loads nothing', () => {
  const [report] = readTestOutput(
    '<!DOCTYPE x [<!ENTITY a "&#65;&a;"> <!ENTITY b SYSTEM "file:///etc/passwd">]>' +
      '<testsuite tests="1" failures="1"><testcase name="t"><failure message="&a;&b;&lt;"/></testcase></testsuite>',
  );
  assert.equal(report?.cases[0]?.message, '&a;&b;<');
});

it('EVID-5: what is no report is none', () => {
  for (const text of [
    '',
    'ok',
    'All tests passed',
    '3 failed',
    'FAILED',
    '{"a":1}',
    output('tsc'),
    output('rustc'),
  ]) {
    assert.deepEqual(readTestOutput(text), [], text.slice(0, 60));
  }
});
