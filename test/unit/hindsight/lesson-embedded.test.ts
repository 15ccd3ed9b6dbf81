/** Lessons with the real model: its next answer takes their form, and a session's second turn finds them in the cache. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { wholeAnswer } from '../../../agent-server/engine/whole-answer.ts';
import { ChatPrompt } from '../../../agent-server/gateway/chat-template.ts';
import { LessonBook } from '../../../agent-server/hindsight/lesson-book.ts';
import { LessonsConfig } from '../../../agent-server/hindsight/lessons-config.ts';
import type { PlainMessage } from '../../../agent-server/protocol/gateway.ts';
import { SessionId } from '../../../agent-server/protocol/ids.ts';
import { openStore } from '../../../agent-server/store/sqlite-store.ts';
import { createEngine } from '../../../gpu-worker/engine/embedded-engine.ts';
import { engineRoutes } from '../../../gpu-worker/engine/routes.ts';
import { loadTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { listen } from '../../fakes/engine.ts';
import { realTokenizerFiles } from '../../fakes/in-process-engine.ts';
import { answeredTurn, corrected } from '../../fixtures/records.ts';
import { runtime } from '../../fixtures/runtime.ts';

const LIMIT_MS = 180_000;

const user = (content: string): PlainMessage => ({ role: 'user', content });
const python = (code: string): string => `\`\`\`python\n${code}\n\`\`\``;

test('LESSON-1, LESSON-7: two lessons give the real model their form and stay in its cache', {
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const { python: interpreter, model } = runtime();
  const real = createEngine({
    python: interpreter,
    model,
    threads: null,
    maxRunning: 2,
    log: () => undefined,
  });
  t.after(() => real.stop());
  const http = await listen(
    engineRoutes({ engine: real, tokenizer: await loadTokenizer(model), log: () => undefined }),
  );
  t.after(() => http.close());
  await real.start(signal);
  const engine = new HttpEngine(() => ({ url: http.url, key: '' }));
  const { store } = await openStore(':memory:');
  t.after(() => store.close());

  const lessons: [string, string][] = [
    ['Write a Python function that adds two numbers.', python('def add(a, b):\n    return a + b')],
    [
      'Write a Python function that returns the larger of two numbers.',
      python('def larger(a, b):\n    return max(a, b)'),
    ],
  ];
  for (const [request, rewrite] of lessons) {
    const turnId = answeredTurn(store, { subject: { kind: 'chat' }, messages: [user(request)] });
    store.recordVerdict(corrected(turnId, rewrite), null);
  }
  const book = new LessonBook(store, LessonsConfig.parse({}));
  const prompt = new ChatPrompt(realTokenizerFiles());
  const first = [user('Write a Python function that reverses a string.')];
  const prepared = book.prepare({
    sessionId: SessionId.parse('session'),
    takenFor: 'main',
    messages: first,
    tools: [],
    subject: { kind: 'chat' },
    prompt,
  });
  assert.deepEqual(prepared.lessonIds, [1, 2]);
  const ask = (messages: readonly PlainMessage[]) =>
    wholeAnswer(
      engine,
      {
        input_ids: prompt.ids(messages),
        sampling_params: { temperature: 0, max_new_tokens: 64 },
        lora_path: null,
      },
      signal,
    );
  const isCodeOnly = (text: string) => /^```python\n[^`]*\n```$/.test(text.trim());
  const taught = await ask(prepared.messages);
  assert.ok(isCodeOnly(taught.text), taught.text);
  const plain = await ask(first);
  assert.ok(!isCodeOnly(plain.text), plain.text);

  const second = [
    ...first,
    { role: 'assistant' as const, content: taught.text },
    user('Now one that counts its words.'),
  ];
  const again = book.prepare({
    sessionId: SessionId.parse('session'),
    takenFor: 'main',
    messages: second,
    tools: [],
    subject: { kind: 'chat' },
    prompt,
  });
  let cached = 0;
  const request = {
    input_ids: prompt.ids(again.messages),
    sampling_params: { temperature: 0, max_new_tokens: 1 },
    lora_path: null,
  };
  for await (const { meta_info } of engine.generate(request, signal)) cached = meta_info.cached_tokens;
  const whole = prompt.ids(prepared.messages).length;
  assert.ok(cached >= whole, `${cached} of ${whole} tokens were cached`);
});
