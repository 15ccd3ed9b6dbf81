/** What an answer that was accepted with lessons in its prompt teaches the weights. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demonstrateAccepted, isKeptForChecks } from '../../../agent-server/judge/accepted-with-lessons.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { LessonId, TurnId } from '../../../agent-server/protocol/ids.ts';
import type { Turn } from '../../../agent-server/store/types.ts';
import { response, sample, turn } from '../../fixtures/records.ts';

const odd = TurnId.parse('00000000-0000-4000-8000-000000000001');
const even = TurnId.parse('00000000-0000-4000-8000-000000000002');

const learning = LearningConfig.parse({});

function answered(fields: Partial<Turn> = {}): Turn {
  return {
    ...turn({ turnId: odd }),
    state: 'settled',
    response: response({ text: 'feat: parse' }),
    closed: null,
    takenFor: 'main',
    parentTurnId: null,
    tools: [],
    answer: null,
    lessonIds: [LessonId.parse(1)],
    ...fields,
  };
}

test('LESSON-13: an answer accepted with lessons is a demonstration; half of them are kept for checks', () => {
  const accepted = sample(odd, { score: 1, hint: null, state: 'held', note: 'The answer was right.' });
  const made = demonstrateAccepted(accepted, answered(), learning);
  assert.deepEqual(
    [made?.state, made?.hint, made?.note],
    ['ready', { kind: 'rewrite', text: 'feat: parse' }, null],
  );
  assert.deepEqual([isKeptForChecks(odd), isKeptForChecks(even)], [false, true]);
  const untouched: [string, Turn | undefined][] = [
    ['kept for checks', answered({ turnId: even })],
    ['answered without lessons', answered({ lessonIds: [] })],
    ['cut off', answered({ response: response({ finishReason: 'length' }) })],
    ['unknown', undefined],
  ];
  for (const [why, of] of untouched) assert.equal(demonstrateAccepted(accepted, of, learning), accepted, why);
  const corrected = sample(odd);
  assert.equal(
    demonstrateAccepted(corrected, answered(), learning),
    corrected,
    'a correction is its own demonstration',
  );
  assert.equal(demonstrateAccepted(null, answered(), learning), null);
});

test('LESSON-13: settings that learn nothing from a text make no demonstration', () => {
  const accepted = sample(odd, { score: 1, hint: null, state: 'held', note: 'The answer was right.' });
  for (const settings of [{ demonstrateAccepted: 'never' }, { method: 'none' }, { method: 'binary-rl' }])
    assert.equal(
      demonstrateAccepted(accepted, answered(), LearningConfig.parse(settings)),
      accepted,
      JSON.stringify(settings),
    );
});
