/**
 * What the gateway adds to the engine: the same one-token request straight to the engine and through the gateway,
 * in turns, so that whatever else the machine does falls on both. With the real engine, and with one that answers
 * at once, where nothing of the model's own spread is left.
 */
import { InProcessEngine, realTokenizerFiles } from '../fakes/in-process-engine.ts';
import { TOKEN as FIXTURE_TOKEN, gatewayFixture } from '../fixtures/gateway.ts';
import { median, never, postChat, report, startRig } from './rig.ts';

const PAIRS = 60;
const WARM_UP = 5;
const AIM_MS = 5;
const messages = [{ role: 'user', content: 'Name a colour of the rainbow.' }];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

async function pairs(direct: () => Promise<unknown>, through: () => Promise<unknown>) {
  const directMs: number[] = [];
  const throughMs: number[] = [];
  for (let index = -WARM_UP; index < PAIRS; index++) {
    const [one, other] = [await timed(direct), await timed(through)];
    if (index < 0) continue;
    directMs.push(one);
    throughMs.push(other);
  }
  return { directMs: median(directMs), throughMs: median(throughMs) };
}

async function consume(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

async function real() {
  const rig = await startRig();
  const ids = (await rig.prompts.get(never)).ids([{ role: 'user', content: messages[0]?.content ?? '' }]);
  const request = {
    input_ids: ids,
    sampling_params: { max_new_tokens: 1, temperature: 0 },
    return_logprob: true,
    lora_path: null,
  };
  const result = await pairs(
    () => consume(rig.engine.generate(request, never)),
    async () => (await postChat(rig.gateway, { messages, max_tokens: 1 }, never)).text(),
  );
  await rig.close();
  return result;
}

async function instant() {
  const fixture = await gatewayFixture();
  const engine = new InProcessEngine(realTokenizerFiles());
  engine.beforeToken = fixture.engine.beforeToken = async () => undefined;
  const request = {
    input_ids: [1],
    sampling_params: { max_new_tokens: 1 },
    return_logprob: true,
    lora_path: null,
  };
  const body = JSON.stringify({ model: 'apprentice', messages, max_tokens: 1 });
  const headers = { authorization: `Bearer ${FIXTURE_TOKEN}` };
  const result = await pairs(
    () => consume(engine.generate(request, never)),
    async () =>
      (await fetch(`${fixture.gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })).text(),
  );
  await fixture.close();
  return result;
}

const withInstant = await instant();
const withReal = await real();
const added = ({ directMs, throughMs }: { directMs: number; throughMs: number }) => throughMs - directMs;
await report(
  [
    {
      name: 'gateway over the engine, median',
      value: added(withReal),
      unit: 'ms',
      aim: `under ${AIM_MS}`,
      met: added(withReal) < AIM_MS,
    },
    {
      name: 'gateway over an instant engine, median',
      value: added(withInstant),
      unit: 'ms',
      aim: `under ${AIM_MS}`,
      met: added(withInstant) < AIM_MS,
    },
  ],
  { pairs: PAIRS, real: withReal, instant: withInstant },
);
