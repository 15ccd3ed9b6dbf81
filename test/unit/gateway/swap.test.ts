/** Zero-pause swap through the whole gateway: steady streams while versions change under them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { chat, gatewayFixture } from '../../fixtures/gateway.ts';

const STREAMS = 20;
const SWAPS = 20;

test('SWAP-5: over 20 swaps under 20 steady streams no request fails or changes version in the middle', async () => {
  const fixture = await gatewayFixture();
  const never = new AbortController().signal;
  let swapping = true;
  const answered = new Map<string, number>();
  let progress = Promise.withResolvers<void>();

  const stream = async () => {
    while (swapping) {
      const response = await chat(fixture, { stream: true });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      assert.match(text, /\[DONE\]/);
      const models = new Set([...text.matchAll(/"model":"([^"]+)"/g)].map((match) => match[1]));
      assert.deepEqual([...models], [response.headers.get('x-apprentice-version')]);
      for (const model of models) if (model) answered.set(model, (answered.get(model) ?? 0) + 1);
      progress.resolve();
    }
  };
  const streams = Array.from({ length: STREAMS }, stream);
  for (let n = 1; n <= SWAPS; n++) {
    await fixture.serving.swap(weightVersion(n), async () => true, never);
    // The next swap comes as soon as anything was answered since, in the middle of all the other streams.
    progress = Promise.withResolvers();
    await progress.promise;
  }
  swapping = false;
  await Promise.all(streams);
  assert.deepEqual(fixture.engine.torn, []);
  assert.ok(answered.size >= SWAPS / 2, `answers came from ${answered.size} versions`);
  assert.equal(fixture.serving.version, weightVersion(SWAPS));
  assert.ok(fixture.engine.adapters.size <= 3, `${fixture.engine.adapters.size} adapters are left loaded`);
  await fixture.close();
});
