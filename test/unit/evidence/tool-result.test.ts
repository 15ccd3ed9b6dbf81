import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { observe, output, read, toolResult } from './outputs.ts';

describe('EVID-13: a failed tool call is -1; an error-free but pointless one is 0; the rest is for the judge', () => {
  it('failed, said by the client or by the result', () => {
    const reading = read(toolResult('1', 'ENOENT: no such file src/tax.ts', true));
    assert.deepEqual([reading.score, reading.words], [-1, 'ENOENT: no such file src/tax.ts']);
    for (const text of [
      'Error: file not found',
      'error: unknown option',
      'Traceback (most recent call last):\n  x',
      'bash: foo: command not found',
      '{"error": "no such tool"}',
      'output\nExit code: 2',
      'Exit code 1\nboom',
    ]) {
      assert.equal(read(toolResult('1', text)).score, -1, text);
    }
  });

  it('what the client calls no error is none', () => {
    assert.equal(read(toolResult('1', 'Error handling is in src/errors.ts', false)).score, null);
    for (const text of [
      'export class ErrorBox {}',
      '{"error": null, "rows": 3}',
      'exit code: 0',
      '2 files changed',
    ]) {
      assert.equal(read(toolResult('1', text)).score, null, text);
    }
  });

  it('nothing found', () => {
    for (const text of ['No matches found', '[]', 'No results.', '0 results', '(no output)', 'null']) {
      assert.equal(read(toolResult('1', text, false)).score, 0, text);
    }
    assert.equal(read(toolResult('1', '', false)).score, null);
  });

  it('the same call with the same result again; other arguments or another result are no repeat', () => {
    const call = (callId: string, args: string) => ({ callId, name: 'read', arguments: args });
    const before = [observe(toolResult('1', 'content', false))];
    const score = (args: string, text: string) =>
      read(toolResult('2', text, false), { before, toolCalls: [call('1', '{"a":1,"b":2}'), call('2', args)] })
        .score;
    assert.equal(score('{ "b": 2, "a": 1 }', 'content'), 0);
    assert.equal(score('{"a":2}', 'content'), null);
    assert.equal(score('{"a":1,"b":2}', 'changed'), null);
    assert.equal(read(toolResult('2', 'content', false), { before }).score, null);
  });

  it('tests in a result: only what changed counts, seeing failures is no fault of the call', () => {
    const failing = output('pytest-v');
    const fixed = output('pytest-v-fixed');
    assert.equal(read(toolResult('1', failing)).score, null);
    assert.match(read(toolResult('1', failing)).words ?? '', /assert 190 == 180/);
    const before = [observe(toolResult('1', failing))];
    assert.equal(read(toolResult('2', fixed, true), { before }).score, 1);
    assert.equal(read(toolResult('2', failing), { before: [observe(toolResult('1', fixed))] }).score, -1);
    assert.equal(read(toolResult('1', failing, true)).score, -1);
  });

  it('errors that are gone because the compiler did not start are not mended', () => {
    const before = [observe(toolResult('1', output('tsc'), true))];
    const toolCalls = ['1', '2'].map((callId) => ({ callId, name: 'shell', arguments: '{"command":"tsc"}' }));
    const again = (text: string, isError: boolean | null) =>
      read(toolResult('2', text, isError), { before, toolCalls }).score;
    assert.deepEqual(
      [again('', false), again('sh: tsc: not found', true), again('tsc: command not found', null)],
      [1, -1, -1],
    );
    assert.equal(again(output('tsc'), true), -1);
  });

  it('a report that was only read, from a file or a page, says nothing of the code', () => {
    const before = [observe(toolResult('1', output('pytest-v')))];
    const fixed = output('pytest-v-fixed');
    for (const name of ['read_file', 'webFetch', 'grep']) {
      assert.equal(read(toolResult('2', fixed, false, name), { before }).score, null, name);
    }
    for (const name of ['run_tests', 'runInTerminal', 'Bash']) {
      assert.equal(read(toolResult('2', fixed, false, name), { before }).score, 1, name);
    }
    const toolCalls = [{ callId: '2', name: 'do', arguments: '{ "command": "pytest" }' }];
    assert.equal(read(toolResult('2', fixed, false, 'do'), { before, toolCalls }).score, 1);
  });
});
