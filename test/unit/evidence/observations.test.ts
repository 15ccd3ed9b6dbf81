import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { looksAround } from '../../../agent-server/evidence/command-line.ts';
import { UNKNOWN_CONTEXT } from '../../../agent-server/evidence/context.ts';
import { readObservation } from '../../../agent-server/evidence/read-observation.ts';
import { RANK } from '../../../agent-server/evidence/reading.ts';
import { MAX_WORDS_CHARS } from '../../../agent-server/evidence/words.ts';
import type { Diagnostic } from '../../../agent-server/protocol/observations.ts';
import { NOW, observe, output, read, terminal, toolResult } from './outputs.ts';

const task = (exitCode: number | null, text: string, name = 'build') => ({
  kind: 'task',
  name,
  exitCode,
  output: text,
});

describe('EVID-11: errors that appear are -1, errors that vanish +1, both are counted against each other', () => {
  const error = (message: string, line = 3, severity: Diagnostic['severity'] = 'error'): Diagnostic => ({
    path: 'src/a.ts',
    line,
    severity,
    source: 'tsc',
    code: 'TS2322',
    message,
  });
  const diagnostics = (appeared: Diagnostic[], vanished: Diagnostic[]) => ({
    kind: 'diagnostics',
    appeared,
    vanished,
  });

  it('of a language server', () => {
    const worse = read(diagnostics([error('a')], []));
    assert.deepEqual([worse.score, worse.words], [-1, 'src/a.ts:3: a (TS2322)']);
    assert.equal(read(diagnostics([], [error('a')])).score, 1);
    assert.equal(read(diagnostics([error('a'), error('b')], [error('c')])).score, -1);
    assert.equal(read(diagnostics([error('a')], [error('b'), error('c')])).score, 1);
    assert.equal(read(diagnostics([error('a')], [error('b')])).score, 0);
  });

  it('an error on another line is the same error; warnings decide nothing', () => {
    assert.equal(read(diagnostics([error('a', 9)], [error('a', 3)])).score, null);
    assert.equal(read(diagnostics([error('a', 3, 'warning')], [error('b', 3, 'info')])).score, null);
  });

  it('an error that vanishes because the tool is silenced is no success', () => {
    for (const proposal of [
      '// @ts-ignore\nx = 1',
      'x = y as any',
      '/* eslint-disable */',
      'x = 1  # type: ignore',
    ]) {
      assert.equal(read(diagnostics([], [error('a')]), { proposal }).score, 0, proposal);
    }
  });

  it('in the output of a task, against its run before', () => {
    const broken = task(2, output('tsc'));
    const before = [observe(broken)];
    assert.deepEqual(
      [read(broken).score, read(broken).words],
      [-1, "pricing.ts:2: Type 'number' is not assignable to type 'string'. (TS2322)"],
    );
    assert.equal(read(task(0, ''), { before }).score, 1);
    assert.equal(read(task(null, ''), { before }).score, null);
    assert.equal(read(task(127, 'tsc: not found'), { before }).score, null);
    assert.equal(read(broken, { before, request: 'Rename total to sum.' }).score, 0);
    assert.equal(read(broken, { before, request: 'Fix the compile errors' }).score, -1);
    assert.equal(read(broken, { before, request: 'What does TS2322 mean here? Get rid of it.' }).score, -1);
    assert.equal(read(broken, { before: [observe(task(0, '')), ...before] }).score, -1);
    const fewer = output('tsc').split('\n').slice(0, 1).join('\n');
    assert.equal(read(task(2, fewer), { before }).score, 1);
    assert.equal(read(broken, { before: [observe(task(2, output('rustc'), 'other'))] }).score, -1);
  });
});

describe('EVID-12: a failing command is -1 unless its exit code says something else', () => {
  it('fails: -1 with the line that says why', () => {
    const reading = read(
      terminal('npm run build', 1, 'vite building\nerror: Could not resolve "./tax"\nbye'),
    );
    assert.deepEqual([reading.score, reading.words], [-1, 'error: Could not resolve "./tax"']);
    const python = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no prices\n';
    assert.equal(read(terminal('python a.py', 1, python)).words, 'ValueError: no prices');
  });

  it('succeeds: left to a judge; +1 when the same command failed before', () => {
    assert.equal(read(terminal('npm run build', 0)).score, null);
    const before = [observe(terminal('npm run build', 1, 'error: x'))];
    assert.equal(read(terminal('npm run build', 0, 'done'), { before }).score, 1);
    assert.equal(read(terminal('npm run lint', 0, 'done'), { before }).score, null);
  });

  it('fails as before: 0; -1 when the turn was to mend it', () => {
    const before = [observe(terminal('npm run build', 1, 'error: x'))];
    const again = terminal('npm run build', 1, 'error: x');
    assert.equal(read(again, { before }).score, 0);
    assert.equal(read(again, { before, request: 'Fix the build' }).score, -1);
  });

  it('an exit code that is an answer, and a command that did not run, are null', () => {
    for (const [line, code] of [
      ['grep -r total src', 1],
      ['cat a | grep total', 1],
      ['cd src && rg total', 1],
      ['diff a b', 1],
      ['git diff --exit-code', 1],
      ['test -f a.ts', 1],
      ['[ -f a.ts ]', 1],
      ['FOO=1 time /usr/bin/grep "a; b && c" x', 1],
      ['npm test; which go', 1],
      ['npm test', 130],
      ['npm test', 127],
      ['npm test', null],
    ] as const) {
      assert.equal(read(terminal(line, code)).score, null, `${line} ${code}`);
    }
  });

  it('what only looks like one is a failure', () => {
    for (const [line, code] of [
      ['grep -r total src', 2],
      ['npm test', 1],
      ['echo "grep"; npm test', 1],
      ['grep x a; npm test', 1],
      ['node grep.js', 1],
      ['ls nosuch', 2],
    ] as const) {
      assert.equal(read(terminal(line, code)).score, -1, `${line} ${code}`);
    }
  });

  it('a run that came along as before is what it is compared with', () => {
    const now = (exitCode: number, text: string, before: { exitCode: number; output: string }) =>
      read(terminal('npm test', exitCode, text, { source: 'user', before }), {
        before: [observe(terminal('npm test', 0, 'of another turn', { source: 'user' }))],
      });
    assert.equal(now(0, '', { exitCode: 1, output: 'no' }).score, 1);
    assert.equal(now(1, 'no', { exitCode: 1, output: 'no' }).score, 0);
    const tap = (result: string) => `TAP version 13\n${result} 1 - adds up\n1..1\n`;
    assert.equal(now(0, tap('ok'), { exitCode: 1, output: tap('not ok') }).score, 1);
    assert.equal(now(1, tap('not ok'), { exitCode: 0, output: tap('ok') }).score, -1);
  });

  it('how it failed before need not be readable: what was typed meanwhile is echoed among what it printed', () => {
    const typedOver = '✖ adds up (2ms)\ntouch ..ℹ tests 1\nℹ pass 0\nℹ fail 1\n';
    const passes = '✔ adds up (1ms)\nℹ tests 1\nℹ pass 1\nℹ fail 0\n';
    const after = (exitCode: number) =>
      read(terminal('npm test', 0, passes, { source: 'user', before: { exitCode, output: typedOver } }));
    assert.deepEqual([after(1).score, after(1).detail], [1, 'Failed before and succeeds now.']);
    assert.equal(after(0).score, null, 'it passed before');
    assert.equal(after(130).score, null, 'it was ended before');
  });

  it('an answer that was another before, and a run that was ended before, are no success', () => {
    const after = (line: string, code: number) =>
      read(terminal(line, 0), { before: [observe(terminal(line, code))] });
    assert.equal(after('grep -r total src', 1).score, null);
    assert.equal(after('npm run build', 130).score, null);
    assert.equal(after('npm run build', 127).score, null);
    assert.equal(after('npm run build', 2).score, 1);
  });

  it('run again by the user, a failure of the turn is no less its failure', () => {
    const failed = terminal('npm test', 1, 'no', { source: 'user' });
    const again = (turn: Record<string, unknown>) =>
      read(failed, { before: [observe({ ...failed, ...turn })] }).score;
    assert.equal(again(NOW), -1);
    assert.equal(again({}), 0, 'it failed before the turn');
  });

  it('EVID-20: a run after edits of the user says nothing of the turn', () => {
    const before = { exitCode: 1, output: 'no' };
    for (const exitCode of [0, 1]) {
      const fields = { before, editedSince: true };
      assert.equal(read(terminal('npm test', exitCode, 'no', fields)).score, null);
      assert.equal(read({ ...task(exitCode, 'no'), ...fields }).score, null);
    }
  });

  it('a user looking around says nothing of the turn', () => {
    const user = (line: string, code: number) =>
      read(terminal(line, code, 'No such file', { source: 'user' }));
    assert.equal(user('ls nosuch', 2).score, null);
    assert.equal(user('cd nosuch && git log', 128).score, null);
    assert.equal(user('npm run build', 1).score, -1);
  });
});

describe('What need not be watched', () => {
  it('CAPTURE-4: a command line that only looks around, in all of its parts', () => {
    for (const line of [
      'ls -la',
      'cd src && git status',
      'cat a | less; pwd',
      'FOO=1 grep x y',
      '. venv/bin/activate',
      '',
      '  ',
    ])
      assert.equal(looksAround(line), true, line);
    for (const line of ['npm test', 'cd src && make', 'npm test; ls', './ls.sh', 'cat a | node b.js'])
      assert.equal(looksAround(line), false, line);
  });
});

it('EVID-17: a reply and a screen are for the judge; a closed proposal is no next state', () => {
  for (const kind of ['user_reply', 'screen'] as const) {
    const reading = read({ kind, text: 'Tests: 1 failed, 1 total. Thanks, perfect!' });
    assert.deepEqual([reading.score, reading.rank], [null, RANK[kind]]);
  }
  const closed = observe({ kind: 'proposal_closed', reason: 'cleared' });
  assert.equal(readObservation(closed, '', UNKNOWN_CONTEXT), null);
});

it('EVID-18: words are one line of bounded length, whatever the program printed', () => {
  const long = `error: ${'x'.repeat(5_000)}`;
  for (const reading of [
    read(terminal('make', 2, long)),
    read(task(2, `a.ts(1,1): error TS1: ${'y '.repeat(3_000)}`)),
    read({ kind: 'patch_review', decision: 'rejected', comment: long, text: null }),
    read(toolResult('1', long)),
  ]) {
    assert.equal(reading.score, -1);
    assert.ok(reading.words !== null && reading.words.length > 100);
    assert.ok(reading.words.length <= MAX_WORDS_CHARS && !reading.words.includes('\n'));
  }
});
