import assert from 'node:assert/strict';
import { matchesGlob } from 'node:path';
import { describe, it } from 'node:test';
import { isReport, REPORT_GLOBS } from '../../../../extension/capture/runs/report-files.ts';

describe('Test report files', () => {
  it('CAPTURE-8: are told by their names', () => {
    const watched = (path: string) => REPORT_GLOBS.some((glob) => matchesGlob(path, glob));
    for (const path of [
      'junit.xml',
      'packages/a/reports/junit-unit.xml',
      'target/surefire-reports/TEST-com.example.TotalTest.xml',
      'build/test-results/test/binary.xml',
      'out/results.tap',
    ])
      assert.equal(watched(path), true, path);
    for (const path of ['pom.xml', 'src/layout.xml', 'results/coverage.xml'])
      assert.equal(watched(path), false, path);
  });

  it('CAPTURE-8: and by what they say', () => {
    assert.equal(isReport('<?xml version="1.0"?>\n<testsuites><testsuite name="a"/></testsuites>'), true);
    assert.equal(isReport('TAP version 13\n1..1\nok 1 - adds up\n'), true);
    assert.equal(isReport('ok 1 - adds up'), true);
    assert.equal(isReport('<coverage line-rate="1"/>'), false);
    assert.equal(isReport('<project><testsuitesFolder>x</testsuitesFolder></project>'), false);
  });
});
