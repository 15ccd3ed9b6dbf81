/** What may come back from an endpoint, and what leaves for it, over real HTTP. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { JudgeConfig } from '../../../agent-server/judge/config.ts';
import { configuredJudge, NO_JUDGE } from '../../../agent-server/judge/configured-judge.ts';
import { EditorJudge } from '../../../agent-server/judge/editor-judge.ts';
import type { Judge } from '../../../agent-server/judge/judge.ts';
import { castVotes } from '../../../agent-server/judge/votes.ts';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { votesBy } from '../../fixtures/votes.ts';

const never = new AbortController().signal;
const PROMPT = { system: 'Judge.', user: 'This.' };
const said = (content: unknown, usage: unknown = undefined): string =>
  JSON.stringify({ model: 'judge-large', choices: [{ message: { content } }], usage });

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body: string;
}

/** An endpoint that answers each request with `reply`, and the judge that asks it. */
async function endpoint(t: TestContext, reply: Reply, fields: Partial<JudgeConfig> = {}) {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders; body: unknown }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      seen.push({ url: request.url, headers: request.headers, body: JSON.parse(text) });
      response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
      response.end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  const config = JudgeConfig.parse({
    kind: 'openai',
    url: `http://127.0.0.1:${port}/v1`,
    model: 'judge',
    ...fields,
  });
  const judge = configuredJudge(config, { APPRENTICE_JUDGE_KEY: 'secret-key' }, new EditorJudge(), NO_WORKER);
  return { judge, seen, url: `http://127.0.0.1:${port}/` };
}

const failure = async (judge: Judge): Promise<ApprenticeError> => {
  try {
    await judge.ask(PROMPT, never);
  } catch (error) {
    assert.ok(error instanceof ApprenticeError);
    assert.ok(!`${error.message} ${error.remedy}`.includes('secret-key'));
    return error;
  }
  assert.fail('The judge answered.');
};

describe('An OpenAI-compatible judge', () => {
  it('JUDGE-12: sends key, model, limit and both texts, and tells usage and cost', async (t) => {
    const usage = { prompt_tokens: 1_000, completion_tokens: 100 };
    const { judge, seen } = await endpoint(
      t,
      { body: said('Fine.', usage) },
      {
        limitField: 'max_completion_tokens',
        temperature: 0.5,
        promptUsdPerMillion: 2,
        completionUsdPerMillion: 10,
      },
    );
    assert.deepEqual(await judge.ask(PROMPT, never), {
      text: 'Fine.',
      model: 'judge-large',
      promptTokens: 1_000,
      completionTokens: 100,
      costUsd: 0.003,
    });
    assert.equal(seen[0]?.url, '/v1/chat/completions');
    assert.equal(seen[0]?.headers.authorization, 'Bearer secret-key');
    assert.deepEqual(seen[0]?.body, {
      model: 'judge',
      messages: [
        { role: 'system', content: 'Judge.' },
        { role: 'user', content: 'This.' },
      ],
      max_completion_tokens: 1_024,
      temperature: 0.5,
    });
  });

  it('JUDGE-12: takes the cost that a router names, and says nothing of what it does not know', async (t) => {
    const named = await endpoint(t, { body: said('Fine.', { cost: 0.25 }) });
    assert.equal((await named.judge.ask(PROMPT, never)).costUsd, 0.25);
    const silent = await endpoint(t, { body: said('Fine.') }, { promptUsdPerMillion: 2 });
    const { promptTokens, completionTokens, costUsd } = await silent.judge.ask(PROMPT, never);
    assert.deepEqual([promptTokens, completionTokens, costUsd], [null, null, null]);
  });

  it('JUDGE-12: a busy or broken endpoint is away for now; a refusal is told with its words', async (t) => {
    for (const status of [408, 429, 500, 503]) {
      const { judge } = await endpoint(t, { status, body: 'Come back later.' });
      assert.equal((await failure(judge)).code, 'judge_unavailable');
    }
    const { judge } = await endpoint(t, { status: 401, body: '{"error":{"message":"Bad key."}}' });
    const refused = await failure(judge);
    assert.deepEqual([refused.code, /401.*Bad key/.test(refused.message)], ['internal', true]);
  });

  it('JUDGE-12: no redirect is followed, no endless answer read, nothing guessed from what is no completion', async (t) => {
    const target = await endpoint(t, { body: said('From elsewhere.') });
    const moved = await endpoint(t, { status: 307, headers: { location: target.url }, body: '' });
    assert.equal((await failure(moved.judge)).code, 'judge_unavailable');
    assert.deepEqual(target.seen, []);
    for (const body of [said('x'.repeat(2_000_000)), '<html>', '{}', said(null)]) {
      const { judge } = await endpoint(t, { body });
      assert.equal((await failure(judge)).code, 'internal');
    }
  });

  it('JUDGE-12: an address that is none is refused before anything is asked', () => {
    const of = (fields: object) =>
      configuredJudge(JudgeConfig.parse(fields), {}, new EditorJudge(), NO_WORKER);
    assert.throws(() => of({ kind: 'openai', url: 'file:///etc/passwd', model: 'm' }));
    assert.throws(() => of({ kind: 'openai', url: 'http://name:word@host/v1', model: 'm' }), ApprenticeError);
    assert.throws(() => of({ kind: 'openai', model: 'm' }), ApprenticeError);
    assert.equal(of({ kind: 'none' }), NO_JUDGE);
    assert.deepEqual([of({}).name, of({}).present], ['vscode', false]);
  });
});

/** No test here has a worker. */
const NO_WORKER = (): Promise<Response> => Promise.reject(new Error('no worker'));

it('JUDGE-11: a call that takes too long is given up and told as such', async () => {
  const judge: Judge = {
    name: 'slow',
    present: true,
    ask: (_prompt, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  };
  const { parts } = votesBy(judge);
  const turn = { request: '', action: '', nextState: '' };
  await assert.rejects(
    castVotes(
      { ...parts, config: { ...parts.config, timeoutMs: 5 } },
      { turn, seen: 1, missing: 3 },
      () => assert.fail('There was no vote.'),
      never,
    ),
    (error) => error instanceof ApprenticeError && error.code === 'timeout',
  );
});
