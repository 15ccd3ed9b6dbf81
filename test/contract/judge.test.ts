/** Every judge under one contract: the fake; an OpenAI-compatible endpoint over HTTP; an editor over its socket. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { it } from 'node:test';
import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { Config } from '../../agent-server/config.ts';
import { JudgeConfig } from '../../agent-server/judge/config.ts';
import { configuredJudge } from '../../agent-server/judge/configured-judge.ts';
import { EditorJudge } from '../../agent-server/judge/editor-judge.ts';
import { OpenAiJudge, overHttp } from '../../agent-server/judge/openai-judge.ts';
import { createLog } from '../../agent-server/log.ts';
import { sendToWorker } from '../../agent-server/loops/vote-loop.ts';
import { askOver } from '../../agent-server/lsp/ask-judge.ts';
import { connectEditorClient } from '../../agent-server/lsp/client.ts';
import { MAX_MESSAGE_BYTES, openWire } from '../../agent-server/lsp/wire.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { startAgentServer } from '../../agent-server/server.ts';
import type { Score } from '../../agent-server/store/types.ts';
import { judgeRoutes } from '../../gpu-worker/engine/judge-engine.ts';
import { engineRoutes } from '../../gpu-worker/engine/routes.ts';
import { ModelTokenizer } from '../../gpu-worker/engine/tokenizer.ts';
import { FakeTokenEngine, listen, startFakeEngine } from '../fakes/engine.ts';
import { AWAY, FakeJudge, voteLine } from '../fakes/judge.ts';
import { fakeTokenizerFiles } from '../fakes/tokenizer.ts';
import { temporaryFolder } from '../fixtures/home.ts';
import { answeredTurn, newObservationId } from '../fixtures/records.ts';
import { type JudgeUnderTest, judgeContract } from './judge.ts';

const log = createLog('error', (line) => process.stderr.write(line));

/** What far ends have in common: the vote they give, what they were asked, and how they are held. */
function farEnd() {
  const prompts: string[] = [];
  const cancelled = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let held = false;
  let score: Score = 0;
  return {
    vote: (next: Score): void => {
      score = next;
    },
    asked: () => prompts,
    hold: (): Promise<void> => {
      held = true;
      return begun.promise;
    },
    cancelled: () => cancelled.promise,
    cancel: (): void => cancelled.resolve(),
    /** Awaited before an answer. */
    pass: async (): Promise<void> => {
      begun.resolve();
      if (held) await new Promise(() => {});
    },
    answer: (prompt: string): string => {
      prompts.push(prompt);
      return voteLine({ system: prompt, user: '' }, { score });
    },
  };
}

judgeContract('the fake', async (): Promise<JudgeUnderTest> => {
  const judge = new FakeJudge();
  const end = farEnd();
  let gone = false;
  judge.reply = ({ system, user }) => (gone ? AWAY : end.answer(`${system}\n${user}`));
  judge.beforeAnswer = async (_prompt, signal) => {
    signal.addEventListener('abort', end.cancel);
    await end.pass();
  };
  return {
    ...end,
    judge,
    leave: async () => {
      gone = true;
    },
    close: async () => {},
  };
});

judgeContract('an OpenAI-compatible endpoint', async (): Promise<JudgeUnderTest> => {
  const end = farEnd();
  const engine = await startFakeEngine({
    key: 'a-key',
    answer: end.answer,
    beforeToken: end.pass,
    ended: end.cancel,
  });
  const config = JudgeConfig.parse({ kind: 'openai' });
  const judge = new OpenAiJudge({ ...config, model: 'model', ...overHttp(`${engine.url}/v1/`, 'a-key') });
  let open = true;
  const leave = async (): Promise<void> => {
    if (open) await engine.close();
    open = false;
  };
  return { ...end, judge, leave, close: leave };
});

judgeContract("the worker's second model", async (): Promise<JudgeUnderTest> => {
  const end = farEnd();
  const tokenizer = new ModelTokenizer(fakeTokenizerFiles(65_536));
  const engine = new FakeTokenEngine(tokenizer, {
    answer: end.answer,
    beforeToken: end.pass,
    ended: end.cancel,
  });
  const routes = engineRoutes({ engine, tokenizer, log: () => {} });
  const app = new Hono().use(bearerAuth({ token: 'worker-key' })).route('/judge', judgeRoutes(routes));
  const http = await listen(app);
  const config = JudgeConfig.parse({ kind: 'worker', model: '/models/model' });
  let open = true;
  const worker = () => {
    if (open) return { url: http.url, key: 'worker-key' };
    throw new ApprenticeError('worker_unavailable', 'The worker is gone.', 'It comes back.');
  };
  const judge = configuredJudge(config, {}, new EditorJudge(), (body, signal) =>
    sendToWorker(worker, body, signal),
  );
  const leave = async (): Promise<void> => {
    if (open) await http.close();
    open = false;
  };
  return { ...end, judge, leave, close: leave };
});

it('JUDGE-15: the second model is asked for chats alone: nothing that changes an engine is behind it', async (t) => {
  const tokenizer = new ModelTokenizer(fakeTokenizerFiles(8192));
  const engine = new FakeTokenEngine(tokenizer, {});
  const routes = engineRoutes({ engine, tokenizer, log: () => {} });
  const http = await listen(new Hono().route('/judge', judgeRoutes(routes)));
  t.after(http.close);
  assert.equal((await fetch(`${http.url}/judge/v1/models`)).status, 200);
  for (const path of ['/load_lora_adapter', '/update_weights_from_disk', '/pause_generation', '/generate'])
    assert.equal((await fetch(`${http.url}/judge${path}`, { method: 'POST', body: '{}' })).status, 404, path);
});

judgeContract('an editor over its socket', async (): Promise<JudgeUnderTest> => {
  const end = farEnd();
  const judge = new EditorJudge();
  const left = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    const { connection } = openWire(socket, MAX_MESSAGE_BYTES);
    connection.onRequest('initialize', () => {
      const withdraw = judge.offer(askOver(connection));
      socket.once('close', () => {
        withdraw();
        connection.dispose();
        left.resolve();
      });
      return { capabilities: {} };
    });
    connection.listen();
  });
  const path = join(temporaryFolder(), 'judge.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = await connectEditorClient(
    { socket: path, token: '' },
    'a test',
    undefined,
    async (prompt, signal) => {
      signal.addEventListener('abort', end.cancel);
      await end.pass();
      const text = end.answer(`${prompt.system}\n${prompt.user}`);
      return { text, model: 'an editor model', promptTokens: null, completionTokens: null };
    },
  );
  const leave = async (): Promise<void> => {
    client.close();
    await left.promise;
  };
  return {
    ...end,
    judge,
    leave,
    close: async () => {
      await leave();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
});

it('JUDGE-13: a reply in any agent becomes a verdict by the model that a connected editor offers', async (t) => {
  const home = temporaryFolder();
  const worker = {
    endpoint: () => {
      throw new ApprenticeError('worker_unavailable', 'No worker in this test.', '');
    },
    onChange: () => () => undefined,
    start: () => undefined,
    stop: async () => undefined,
  };
  const server = await startAgentServer({ home, config: Config.parse({}), env: {}, log, worker });
  assert.ok(server.kind === 'running');
  t.after(() => server.stop());
  const end = farEnd();
  end.vote(-1);
  const client = await connectEditorClient(server.discovery, 'a test', undefined, async (prompt) => ({
    text: end.answer(`${prompt.system}\n${prompt.user}`),
    model: 'an editor model',
    promptTokens: null,
    completionTokens: null,
  }));
  t.after(() => client.close());
  await client.request(editorRequests.setLearning, { state: 'on' });
  const { store } = server;
  const turnId = answeredTurn(store, { subject: { kind: 'chat' } });
  const settled = new Promise<void>((resolve) => {
    store.onChange(() => {
      if (store.verdict(turnId) !== undefined) resolve();
    });
  });
  const observedAt = new Date().toISOString();
  const observationId = newObservationId();
  await client.request(editorRequests.observe, {
    kind: 'user_reply',
    observationId,
    observedAt,
    turnId,
    text: 'Hm.',
  });
  await settled;
  assert.deepEqual([store.verdict(turnId)?.score, store.verdict(turnId)?.decidedBy], [-1, 'votes']);
  assert.deepEqual(
    store.votes(turnId).map(({ judge, model }) => [judge, model]),
    Array.from({ length: 3 }, () => ['vscode', 'an editor model']),
  );
});
