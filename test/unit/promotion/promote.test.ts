/** A step with broken numbers, or an adapter that says nothing, may not serve. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatPrompt } from '../../../agent-server/gateway/chat-template.ts';
import { GuardRails } from '../../../agent-server/learning/guard-rails.ts';
import { judgeMetrics, probe } from '../../../agent-server/promotion/promote.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { TrainMetrics } from '../../../agent-server/protocol/training.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { METRICS } from '../../fixtures/records.ts';

const LIMITS = GuardRails.parse({});
const never = new AbortController().signal;

test('PROMOTE-1: numbers decide by stated limits, and the reason names the one that broke', () => {
  assert.equal(judgeMetrics(METRICS, LIMITS).promoted, true);
  const broken: [object, RegExp][] = [
    [{ loss: Number.NaN }, /not finite: loss NaN/],
    [{ gradNorm: LIMITS.maxGradNorm * 1.01 }, /gradient norm 1010\.0 is over 1000/],
    [{ logprobFall: LIMITS.maxLogprobFall + 0.1 }, /fell by 5\.10 nats/],
    [{ klToBase: 1.01 }, /KL to the base 1\.01 is over 1/],
    [{ steps: [{ loss: 1, gradNorm: 1, klToBase: 3 }] }, /KL to the base 3\.00/],
    [{ steps: [{ loss: 1, gradNorm: 2_000, klToBase: 0 }] }, /gradient norm 2000\.0/],
  ];
  // A rewrite in a form that the policy would never have used becomes likelier by that much in one sound step.
  const sound = judgeMetrics({ ...METRICS, logprobFall: -6.2 }, LIMITS);
  assert.equal(sound.promoted, true);
  assert.match(sound.reason, /6\.200 nats likelier each/);
  for (const [fields, reason] of broken) {
    const verdict = judgeMetrics({ ...METRICS, ...fields }, LIMITS);
    assert.equal(verdict.promoted, false);
    assert.match(verdict.reason, reason);
  }
});

test('PROMOTE-1: numbers that were stored under their earlier name are read', () => {
  const { logprobFall: klToParent, ...rest } = METRICS;
  assert.deepEqual(TrainMetrics.parse({ ...rest, klToParent }), METRICS);
});

test('PROMOTE-2: the version itself has to answer a token with a probability', async () => {
  const engine = new InProcessEngine(realTokenizerFiles());
  const prompt = new ChatPrompt(engine.files);
  const version = weightVersion(1);
  await assert.rejects(probe(engine, version, prompt, never), /not loaded/);
  await engine.loadAdapter(version, '/adapters/policy@v1');
  await probe(engine, version, prompt, never);
  assert.deepEqual(
    [engine.requests.at(-1)?.lora_path, engine.requests.at(-1)?.sampling_params.max_new_tokens],
    [version, 1],
  );
  const silent = { generate: async function* () {} };
  await assert.rejects(
    probe(silent, version, prompt, never),
    (error) => error instanceof ApprenticeError && error.code === 'adapter_invalid',
  );
});
