import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EarlierRuns } from '../../../../extension/capture/runs/earlier-runs.ts';
import {
  cutMiddle,
  keptOutput,
  keptText,
  MAX_KEPT_CHARS,
} from '../../../../extension/capture/runs/kept-text.ts';

describe('What is kept of an output', () => {
  it('CAPTURE-4: is cut in the middle, between lines, and says so', () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
    const kept = keptText(lines.join('\n'));
    assert.ok(kept.length <= MAX_KEPT_CHARS);
    const [head = '', notice = '', tail = ''] = kept.split(/\n(\[\d+ characters or more left out\])\n/);
    assert.match(notice, /^\[\d+ characters/);
    for (const line of [...head.split('\n'), ...tail.split('\n')]) assert.ok(lines.includes(line), line);
    assert.deepEqual([head.split('\n')[0], tail.split('\n').at(-1)], ['line 0', 'line 4999']);
  });

  it('CAPTURE-4: is cut in one line when it has no others, and never longer than it may be', () => {
    assert.equal(cutMiddle('short', 10), 'short');
    for (const maxChars of [1, 40, 100, 1_000])
      assert.ok(cutMiddle('x'.repeat(5_000), maxChars).length <= maxChars, String(maxChars));
  });

  it('CAPTURE-4: holds no secret, nor the half of one', () => {
    const token = `ghp_${'a1B2'.repeat(9)}`;
    assert.equal(keptText(`token ${token} end`), 'token <secret> end');
    const atTheCut = `${'x'.repeat(MAX_KEPT_CHARS / 2 - 60)} ${token} ${'y'.repeat(MAX_KEPT_CHARS)}`;
    assert.doesNotMatch(keptText(atTheCut), /ghp_|a1B2/);
  });

  it('CAP-8: of a long output, secrets go before the cut, wherever they stand', async () => {
    const secret = 'tr0ub4dor&3';
    const scrub = async (text: string): Promise<string> => text.replaceAll(secret, '<secret>');
    const output = `${secret} `.repeat(100_000);
    const kept = await keptOutput(output, scrub);
    assert.ok(kept.length <= MAX_KEPT_CHARS);
    assert.doesNotMatch(kept, /tr0ub|dor&3/);
    assert.match(kept, /^<secret> <secret>/);
  });
});

describe('Earlier runs', () => {
  const run = (output: string) => ({ exitCode: 1, output });

  it('CAPTURE-5: the last one of the same command and folder that ended before the edits came', () => {
    const earlier = new EarlierRuns();
    earlier.remember('npm test', '/till', run('one'), 10);
    earlier.remember(' npm test ', '/till', run('two'), 20);
    earlier.remember('npm test', '/till', run('three'), 30);
    earlier.remember('npm test', '/other', run('elsewhere'), 20);
    earlier.remember('npm run lint', '/till', run('lint'), 20);
    assert.deepEqual(earlier.before('npm test', '/till', 25), run('two'));
    assert.equal(earlier.before('npm test', '/till', 9), null);
    assert.equal(earlier.before('npm test -- --all', '/till', 25), null);
    earlier.clear();
    assert.equal(earlier.before('npm test', '/till', 25), null);
  });

  it('CAPTURE-5: are bounded in number and in size', () => {
    const earlier = new EarlierRuns();
    for (let index = 0; index < 41; index++) earlier.remember(`run ${index}`, '/till', run('x'), index);
    assert.equal(earlier.before('run 0', '/till', 100), null);
    assert.deepEqual(earlier.before('run 1', '/till', 100), run('x'));
    earlier.remember('long', '/till', run('x'.repeat(1_000_000 - 5)), 100);
    assert.equal(earlier.before('run 30', '/till', 100), null);
    assert.deepEqual(earlier.before('run 40', '/till', 100), run('x'));
  });
});
