/** How the end of a stream in the middle is read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { streamGenerate } from '../../../gpu-worker/engine/sglang/client.ts';

const LIMIT_MS = 5_000;

/** What is thrown when a server's stream says `event` and ends. */
async function thrownOf(t: TestContext, event: object): Promise<unknown> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`data: ${JSON.stringify(event)}\n\ndata: [DONE]\n\n`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const at = { url: `http://127.0.0.1:${port}`, key: null, adminKey: null };
  const answer = streamGenerate(at, {}, AbortSignal.timeout(LIMIT_MS));
  return answer.next().then(
    () => assert.fail('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
}

test('SGLANG-14: an engine of ours that dies in the middle of an answer says so by its own code, SGLang by a status', async (t) => {
  const message = 'The engine process ended.';
  const codeOf = async (code: string | number): Promise<string> => {
    const thrown = await thrownOf(t, { error: { code, message } });
    assert.ok(thrown instanceof ApprenticeError);
    return thrown.code;
  };
  assert.equal(await codeOf('engine_unavailable'), 'engine_unavailable');
  assert.equal(await codeOf(500), 'engine_unavailable');
  assert.equal(await codeOf('unheard of'), 'internal');
});
