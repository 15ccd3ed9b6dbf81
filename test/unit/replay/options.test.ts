/** REPLAY-3: a flag that is not understood ends the run before anything starts, and the flags are listed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from '../../../agent-server/environment/replay/options.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';

test('REPLAY-3 without flags, 24 commits to learn and 12 to test', () => {
  assert.deepEqual(readOptions([], '/x'), {
    repository: null,
    sample: false,
    commits: 24,
    test: 12,
    control: false,
    exit: false,
    json: null,
    html: null,
    learning: LearningConfig.parse({}),
    port: 0,
  });
});

test("REPLAY-3 flags are read, paths against the caller's folder", () => {
  const options = readOptions(
    [
      '--repo',
      'other',
      '--commits=8',
      '--test',
      '4',
      '--control',
      '--exit',
      '--json',
      'a.json',
      '--port',
      '8080',
    ],
    '/home/ada',
  );
  assert.equal(options.repository, '/home/ada/other');
  assert.equal(options.json, '/home/ada/a.json');
  assert.deepEqual([options.commits, options.test, options.port], [8, 4, 8080]);
  assert.ok(options.control && options.exit);
});

test('REPLAY-3 --learning changes what it names and nothing else', () => {
  const { learning } = readOptions(
    ['--learning', '{"replay":2,"hyperparameters":{"learningRate":0.001}}'],
    '/x',
  );
  const defaults = LearningConfig.parse({});
  assert.deepEqual(learning, {
    ...defaults,
    replay: 2,
    hyperparameters: { ...defaults.hyperparameters, learningRate: 0.001 },
  });
});

test('REPLAY-3 what is not understood is named, with the flags', () => {
  const bad: [string[], string][] = [
    [['--bogus'], '--bogus'],
    [['stray'], 'stray'],
    [['--commits', '0'], '--commits'],
    [['--test', '1.5'], '--test'],
    [['--port', '70000'], '--port'],
    [['--repo'], '--repo'],
    [['--repo', 'a', '--sample'], '--sample'],
    [['--learning', '{'], '--learning'],
    [['--learning', '[]'], '--learning'],
    [['--learning', '{"reply":2}'], 'reply'],
    [['--learning', '{"hyperparameters":{"learningRate":"fast"}}'], 'learningRate'],
  ];
  for (const [argv, named] of bad) {
    assert.throws(
      () => readOptions(argv, '/x'),
      (error) => {
        assert.ok(error instanceof ApprenticeError, argv.join(' '));
        assert.equal(error.code, 'invalid_request');
        assert.ok(error.message.includes(named), `${argv.join(' ')}: ${error.message}`);
        assert.match(error.remedy, /--commits N/);
        return true;
      },
    );
  }
});
