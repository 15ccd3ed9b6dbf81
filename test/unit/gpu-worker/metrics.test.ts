/** `GET /metrics` of apprentice-worker as a process; its Python is none, so that engine and trainer never come up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApprenticeWorker } from '../../fixtures/apprentice-worker.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { runtime } from '../../fixtures/runtime.ts';

const LIMIT_MS = 60_000;

test('METRICS-1: a worker tells its metrics where it is told to, to who has its key', {
  timeout: LIMIT_MS,
}, async (t) => {
  const { model } = runtime();
  const start = async (...flags: string[]) => {
    const own = ['--home', temporaryFolder(), '--model', model, '--python', process.execPath];
    const worker = await startApprenticeWorker([...own, '--device', 'cpu', '--port', '0', ...flags]);
    t.after(() => worker.stop());
    const { url, key } = worker.pairing;
    return (bearer = key) =>
      fetch(`${url}/metrics`, {
        headers: { authorization: `Bearer ${bearer}` },
        signal: AbortSignal.timeout(LIMIT_MS),
      });
  };
  const on = await start('--metrics');
  assert.equal((await on('not the key of this worker')).status, 401);
  const answer = await on();
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  for (const line of [
    'sglang:num_running_reqs{model_name="model"} 0',
    'apprentice_worker_process_ready{process="engine"} 0',
    'apprentice_worker_link_open 0',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`);

  const off = await start();
  const refused = await off();
  assert.equal(refused.status, 404);
  assert.match(await refused.text(), /--metrics/);
});
