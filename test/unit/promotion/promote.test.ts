/** A step with broken numbers, or an adapter that says nothing, may not serve. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatPrompt } from '../../../agent-server/gateway/chat-template.ts';
import {
  judgeMetrics,
  MAX_GRAD_NORM,
  MAX_KL_TO_PARENT,
  probe,
} from '../../../agent-server/promotion/promote.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { InProcessEngine, realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { METRICS } from '../../fixtures/records.ts';

const never = new AbortController().signal;

test('PROMOTE-1: numbers decide by stated limits, and the reason names the one that broke', () => {
  assert.equal(judgeMetrics(METRICS).promoted, true);
  const broken: [object, RegExp][] = [
    [{ loss: Number.NaN }, /not finite: loss NaN/],
    [{ gradNorm: MAX_GRAD_NORM * 1.01 }, /gradient norm 1010\.0 is over 1000/],
    [{ klToParent: MAX_KL_TO_PARENT + 0.1 }, /KL to its parent 5\.10/],
    [{ klToParent: -MAX_KL_TO_PARENT - 0.1 }, /KL to its parent -5\.10/],
  ];
  for (const [fields, reason] of broken) {
    const verdict = judgeMetrics({ ...METRICS, ...fields });
    assert.equal(verdict.promoted, false);
    assert.match(verdict.reason, reason);
  }
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
