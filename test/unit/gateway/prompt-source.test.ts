/** The tokenizer files are fetched once, for all who ask meanwhile, and again after a failure or a new engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PromptSource } from '../../../agent-server/gateway/prompt-source.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { TokenizerFiles } from '../../../agent-server/protocol/link.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';

const files = realTokenizerFiles();
const never = new AbortController().signal;

test('GATE-15: who asks first does not take the answer from the others by going away', async () => {
  const answers: PromiseWithResolvers<TokenizerFiles>[] = [];
  const source = new PromptSource({
    tokenizerFiles: () => {
      const answer = Promise.withResolvers<TokenizerFiles>();
      answers.push(answer);
      return answer.promise;
    },
  });
  const first = new AbortController();
  const leaving = source.get(first.signal);
  const staying = source.get(never);
  first.abort();
  await assert.rejects(leaving, (error) => error instanceof ApprenticeError && error.code === 'aborted');
  answers[0]?.reject(new ApprenticeError('engine_unavailable', 'gone', ''));
  await assert.rejects(staying, /gone/);
  const again = source.get(never);
  answers[1]?.resolve(files);
  assert.equal((await again).tokenizer.contextLength, files.contextLength);
  assert.equal(await source.get(never), await again);
  source.forget();
  const renewed = source.get(never);
  answers[2]?.resolve(files);
  assert.notEqual(await renewed, await again);
  assert.equal(answers.length, 3);
});
