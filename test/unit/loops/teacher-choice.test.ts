/** Hint selection and the teacher's check over a real store, with an engine whose answers a test decides. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, test } from 'node:test';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { SampleScorer } from '../../../agent-server/loops/sample-scorer.ts';
import { BASE_VERSION, BatchId, type SampleId } from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import type { Store } from '../../../agent-server/store/store.ts';
import type { HintCandidate, TurnResponse } from '../../../agent-server/store/types.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { FakeJudge } from '../../fakes/judge.ts';
import { answeredTurn, corrected, sample } from '../../fixtures/records.ts';

const files = realTokenizerFiles();
const never = new AbortController().signal;
const batch = { batchId: BatchId.parse('b0000000-0000-4000-8000-000000000000'), parent: BASE_VERSION };
const FIRST: HintCandidate = { kind: 'words', source: 'test', text: 'expected one line but got three' };
const SECOND: HintCandidate = { kind: 'words', source: 'judge', text: 'Name what the change is for.' };

let store: Store;
let engine: InProcessEngine;
beforeEach(async () => {
  store = (await openStore(':memory:')).store;
  engine = new InProcessEngine(files);
});
afterEach(() => store.close());

function told(hints: HintCandidate[], response: Partial<TurnResponse> = {}): SampleId {
  const turnId = answeredTurn(
    store,
    {},
    { responseIds: [100, 200, 2], behaviourLogprobs: [-1, -1, -1], text: 'Update', ...response },
  );
  const [hint = null] = hints;
  const made = sample(turnId, { hint: hint && { kind: hint.kind, text: hint.text } });
  store.recordVerdict({ ...corrected(turnId, ''), hint: made.hint }, made, hints);
  return made.sampleId;
}

/** The teacher's own answers so far. */
const answered = () => engine.requests.length;

async function supports(
  sampleId: SampleId,
  method: LearningConfig['method'],
  { asked, teacherCheck = 'once' }: { asked?: FakeJudge; teacherCheck?: LearningConfig['teacherCheck'] } = {},
) {
  const prompts = new PromptSource(engine);
  const config = LearningConfig.parse({ method, teacherCheck });
  const judge = asked && {
    judge: asked,
    config: { timeoutMs: 60_000, parallel: 1, maxCharacters: 10_000 },
    nonce: () => randomUUID().replaceAll('-', ''),
    nowMs: () => 0,
  };
  const scorer = new SampleScorer({ store, engine, config, ...(judge && { judge }) });
  const { rows, unused } = await scorer.rows(batch, sampleId, await prompts.get(never), never);
  return { roles: rows.map(({ role }) => role), advantages: rows[0]?.support.advantages[0], unused };
}

async function promptHolds(text: string): Promise<(promptIds: readonly number[]) => boolean> {
  const { tokenizer } = await new PromptSource(engine).get(never);
  return (ids) =>
    ids
      .map((id) => tokenizer.tokenText(id))
      .join('')
      .includes(text);
}

test('TEACH-4: of several hints in words the one that agrees most with the student’s own answer teaches', async () => {
  const isFirst = await promptHolds(FIRST.text);
  const sampleId = told([FIRST, SECOND]);
  engine.surprise = (ids) => (isFirst(ids) ? 2 : 0);
  assert.deepEqual((await supports(sampleId, 'hybrid-union')).roles, ['response']);
  assert.deepEqual(store.teacherCheck(sampleId)?.hint, SECOND);
});

test('TEACH-5: what was found is kept: replays neither choose nor let the teacher answer again', async () => {
  const sampleId = told([FIRST]);
  await supports(sampleId, 'by-kind');
  assert.equal(answered(), 1);
  assert.equal(store.teacherCheck(sampleId)?.verdict, 'unknown');
  await supports(sampleId, 'by-kind');
  assert.equal(answered(), 1);
});

test('TEACH-5: without the check the hint is chosen and nothing is generated', async () => {
  const sampleId = told([FIRST]);
  assert.deepEqual((await supports(sampleId, 'opd', { teacherCheck: 'never' })).roles, ['response']);
  assert.deepEqual([answered(), store.teacherCheck(sampleId)], [0, undefined]);
});

test('TEACH-6: a refused teacher leaves the score, and where the method takes none, nothing; the reason is told', async () => {
  engine.reply = 'Update';
  const sampleId = told([FIRST, SECOND]);
  const byKind = await supports(sampleId, 'by-kind');
  assert.deepEqual([byKind.roles, byKind.advantages], [['response'], [-1]]);
  assert.equal(answered(), 2, 'each hint is tried');
  assert.deepEqual(store.teacherCheck(sampleId)?.verdict, 'worse');
  const opd = await supports(sampleId, 'opd');
  assert.deepEqual(opd.roles, []);
  assert.match(opd.unused ?? '', /the same/);
  assert.match(store.panelTurns(1)[0]?.notes.join() ?? '', /the same/);
});

test('TEACH-7: the demonstration of a rewrite needs no teacher', async () => {
  const rewrite: HintCandidate = { kind: 'rewrite', source: 'rewrite', text: 'fix: greet' };
  const sampleId = told([rewrite, FIRST]);
  assert.deepEqual((await supports(sampleId, 'by-kind')).roles, ['demonstration']);
  assert.equal(answered(), 0);
  engine.reply = 'Zzz';
  assert.deepEqual((await supports(sampleId, 'hybrid-union+demonstration')).roles, [
    'response',
    'demonstration',
  ]);
  assert.equal(store.teacherCheck(sampleId)?.verdict, 'worse');
});

test('TEACH-8: where nothing else tells, the judge does', async () => {
  const judge = new FakeJudge();
  // The answer with the hint is the engine's reply; the judge finds it worse wherever it stands.
  judge.reply = ({ user }) => ({ score: user.indexOf(engine.reply) > user.indexOf('| Update') ? -1 : 1 });
  const sampleId = told([FIRST]);
  const { roles, advantages } = await supports(sampleId, 'by-kind', { asked: judge });
  assert.deepEqual([roles, advantages], [['response'], [-1]]);
  assert.match(store.teacherCheck(sampleId)?.detail ?? '', /judge prefers the answer without/);
});

test('LEARN-14: of a degenerate answer only the rewrite trains', async () => {
  const cut = { finishReason: 'length' } as const;
  const rewrite: HintCandidate = { kind: 'rewrite', source: 'rewrite', text: 'fix: greet' };
  assert.deepEqual((await supports(told([rewrite], cut), 'hybrid-union+demonstration')).roles, [
    'demonstration',
  ]);
  const { roles, unused } = await supports(told([FIRST], cut), 'by-kind');
  assert.deepEqual(roles, []);
  assert.match(unused ?? '', /cut off/);
});
