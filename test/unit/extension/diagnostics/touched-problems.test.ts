/** Which problems an agent's edit brought or took away (CAPTURE-7). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Problem, TouchedProblems } from '../../../../extension/capture/diagnostics/touched-problems.ts';

const problem = (message: string, startLine: number, endLine = startLine): Problem => ({
  startLine,
  endLine,
  severity: 'error',
  source: 'ts',
  code: '2304',
  message,
});
const messages = ({ appeared, vanished }: { appeared: Problem[]; vanished: Problem[] }) => [
  appeared.map(({ message }) => message),
  vanished.map(({ message }) => message),
];
const lines = (startLine: number, endLine: number) => ({ startLine, endLine });

describe('TouchedProblems', () => {
  it('CAPTURE-7: what appears counts in the lines of the edit, what vanishes counts where it was made', () => {
    const problems = new TouchedProblems([problem('mended', 3), problem('elsewhere', 20)]);
    problems.changed([{ ...lines(2, 4), newLines: 3 }], 'agent');
    const now = [problem('broken', 4), problem('outside', 9)];
    assert.deepEqual(messages(problems.compare(now, [lines(2, 5)])), [['broken'], ['mended']]);
  });

  it('CAPTURE-7: a problem that moved neither appeared nor vanished', () => {
    const problems = new TouchedProblems([problem('moved', 3), problem('below', 10)]);
    problems.changed([{ ...lines(1, 5), newLines: 8 }], 'agent');
    const now = [problem('moved', 7), problem('below', 14)];
    assert.deepEqual(messages(problems.compare(now, [lines(1, 9)])), [[], []]);
  });

  it('CAPTURE-7: lines are followed through earlier changes, of the agent and of a formatter', () => {
    const problems = new TouchedProblems([problem('first', 10), problem('second', 30)]);
    // Five lines come above both; then a formatter takes two; what was line 30 is 33 by then.
    problems.changed([{ ...lines(0, 0), newLines: 5 }], 'agent');
    problems.changed([{ ...lines(1, 3), newLines: 0 }], 'other');
    problems.changed([{ ...lines(33, 33), newLines: 0 }], 'agent');
    assert.deepEqual(messages(problems.compare([], [])), [[], ['second']]);
  });

  it('CAPTURE-7: of several changes at once each has the lines of before', () => {
    const problems = new TouchedProblems([problem('kept', 5), problem('gone', 9)]);
    problems.changed(
      [
        { ...lines(1, 1), newLines: 4 },
        { ...lines(9, 9), newLines: 0 },
      ],
      'agent',
    );
    assert.deepEqual(messages(problems.compare([], [])), [[], ['gone']]);
  });

  it('CAPTURE-7: what another change took away is not the merit of the agent', () => {
    const problems = new TouchedProblems([problem('formatted away', 5)]);
    problems.changed([{ ...lines(5, 5), newLines: 0 }], 'other');
    assert.deepEqual(messages(problems.compare([], [lines(5, 5)])), [[], []]);
  });

  it('CAPTURE-7: no more than 200 are told of either', () => {
    const many = Array.from({ length: 300 }, (_, index) => problem(`no ${index}`, index));
    const problems = new TouchedProblems(many);
    problems.changed([{ ...lines(0, 400), newLines: 0 }], 'agent');
    const now = many.map((one) => ({ ...one, message: `new ${one.message}` }));
    const { appeared, vanished } = problems.compare(now, [lines(0, 400)]);
    assert.deepEqual([appeared.length, vanished.length], [200, 200]);
  });
});
