/** The log file: levels and rotation. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLog, logFileWriter } from '../../../agent-server/log.ts';
import { temporaryFolder } from '../../fixtures/home.ts';

describe('The log', () => {
  it('leaves out what is below its level, and indents what goes on', () => {
    const lines: string[] = [];
    const log = createLog('warn', (line) => lines.push(line));
    log.info('quiet');
    log.error('first\nsecond');
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /^\S+ error first\n {2}second\n$/);
  });

  it('LOG-1: begins a new file at its limit and keeps the one before', () => {
    const file = join(temporaryFolder(), 'logs', 'test.log');
    const write = logFileWriter(file, 10);
    for (const line of ['a'.repeat(10), 'b'.repeat(10), 'c']) write(line);
    assert.equal(readFileSync(file, 'utf8'), 'c');
    assert.equal(readFileSync(`${file}.1`, 'utf8'), 'b'.repeat(10));
  });
});
