/**
 * Two users of one apprentice-worker, a process of its own with the real engine and trainer over a tiny model. Each has
 * the link that an agent-server has, made from the line that `apprentice-worker user add` printed.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Progress } from '../../agent-server/loops/training-progress.ts';
import type { WorkerLink } from '../../agent-server/loops/worker-link.ts';
import { GenerateResponse } from '../../agent-server/protocol/engine.ts';
import { BASE_VERSION } from '../../agent-server/protocol/ids.ts';
import { type Pairing, parsePairing } from '../../agent-server/protocol/pairing.ts';
import { readUsers, userHome, userNamed } from '../../gpu-worker/users/user-file.ts';
import {
  runApprenticeWorker,
  type StartedWorker,
  startApprenticeWorker,
} from '../fixtures/apprentice-worker.ts';
import { type BatchOptions, writeBatch } from '../fixtures/batches.ts';
import { linkTo } from '../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../fixtures/home.ts';
import { runtime } from '../fixtures/runtime.ts';
import { writeTinyModel } from '../fixtures/tiny-model.ts';
import { KeyClient } from '../fixtures/users-worker.ts';

const LIMIT_MS = 240_000;
const POLL_MS = 50;
const PROMPT = Array.from({ length: 60 }, (_, index) => 500 + index);
const Loaded = z.object({ success: z.literal(true), loaded_adapters: z.record(z.string(), z.string()) });

interface Someone {
  pairing: Pairing;
  client: KeyClient;
  link: WorkerLink;
  /** Where the link puts what was trained. */
  home: string;
}

suite('two users of one apprentice-worker', { timeout: 2 * LIMIT_MS }, () => {
  const home = temporaryFolder();
  const model = temporaryFolder();
  let worker: StartedWorker;
  let anna: Someone;
  let ben: Someone;

  const start = (port: number) => {
    const flags = ['--home', home, '--python', runtime().python, '--model', model, '--device', 'cpu'];
    return startApprenticeWorker([...flags, '--threads', '1', '--port', String(port)]);
  };
  const userCommand = async (...args: string[]) => {
    const { port } = new URL(worker.pairing.url);
    const { code, text } = await runApprenticeWorker(['user', ...args, '--home', home, '--port', port]);
    return { code, text };
  };
  const added = async (name: string): Promise<Someone> => {
    const { code, text } = await userCommand('add', name);
    assert.equal(code, 0, text);
    const pairing = parsePairing(text.split('\n').find((line) => line.includes('://')) ?? '');
    assert.ok(pairing !== null, text);
    const folder = temporaryFolder();
    const link = linkTo(() => pairing, folder, { owner: randomUUID() });
    link.connect();
    return { pairing, client: new KeyClient(pairing.url, pairing.key), link, home: folder };
  };
  const idOf = (name: string) => userNamed(readUsers(home), name);
  const until = async (what: () => boolean | Promise<boolean>) => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    while (!(await what())) await delay(POLL_MS, undefined, { signal });
  };
  /** A batch that makes `policy@v<number>` from the base. */
  const batchOf = async (number: number, options: BatchOptions) => {
    const { folder, manifest } = await writeBatch(temporaryFolder(), { ...options, number });
    const file = join(folder, 'manifest.json');
    await writeFile(
      file,
      JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), parent: BASE_VERSION }),
    );
    return { batchId: manifest.batchId, folder };
  };
  const generate = (more: object) => ({
    input_ids: PROMPT,
    sampling_params: { max_new_tokens: 4, temperature: 0 },
    return_logprob: true,
    logprob_start_len: 50,
    ...more,
  });

  before(async () => {
    await writeTinyModel(model);
    worker = await start(0);
    // They come while it runs.
    anna = await added('anna');
    ben = await added('ben');
  });
  after(async () => {
    anna?.link.close();
    ben?.link.close();
    await worker?.stop();
  });

  test('FAIR-1, FAIR-2: her three batches and his one are trained in turns, each told its place; versions of one name are two', async () => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const places = new Map<string, number[]>();
    const note = ({ batchId, phase, ahead }: Progress) => {
      if (phase === 'waiting') places.set(batchId, [...(places.get(batchId) ?? []), ahead]);
    };
    for (const { link } of [anna, ben]) link.onProgress(note);
    const made: string[] = [];
    const train = async ({ link }: Someone, number: number, options: BatchOptions) => {
      const batch = await batchOf(number, options);
      const done = link.train(batch.batchId, batch.folder, signal).then((trained) => {
        made.push(`${link === anna.link ? 'anna' : 'ben'} ${trained.version}`);
        return trained;
      });
      return { batchId: batch.batchId, done };
    };
    // The trainer is still loading: until then nothing is trained, and all of them wait.
    const hers: Awaited<ReturnType<typeof train>>[] = [];
    const received = join(userHome(home, idOf('anna')), 'received');
    for (const number of [1, 2, 3]) {
      hers.push(await train(anna, number, { hyperparameters: { learningRate: 0.02 } }));
      await until(async () => (await readdir(received)).length === number);
    }
    await until(() => hers.slice(1).every(({ batchId }) => places.has(batchId)));
    const his = await train(ben, 1, { hyperparameters: { learningRate: 0.03 } });
    const [first] = await Promise.all(hers.map(({ done }) => done));
    const bens = await his.done;
    assert.deepEqual(made, ['anna policy@v1', 'ben policy@v1', 'anna policy@v2', 'anna policy@v3']);
    assert.deepEqual(places.get(his.batchId), [1]);
    assert.deepEqual(
      hers.map(({ batchId }) => places.get(batchId)),
      [undefined, [1, 2, 1], [2, 3, 2, 1]],
    );
    assert.notEqual(first?.adapterSha256, bens.adapterSha256);
  });

  test('USERS-1, USERS-3: each is answered by their own policy@v1, and nobody by another’s', async () => {
    await until(async () => (await fetch(`${worker.pairing.url}/health`)).status === 200);
    const answers = new Map<string, number>();
    const first = new KeyClient(worker.pairing.url, worker.pairing.key);
    for (const [name, client] of [
      ['anna', anna.client],
      ['ben', ben.client],
    ] as const) {
      const loaded = await client.ask(Loaded, '/load_lora_adapter', {
        lora_name: 'policy@v1',
        lora_path: 'policy@v1',
      });
      assert.deepEqual(Object.keys(loaded.loaded_adapters), ['policy@v1']);
      const { meta_info } = await client.ask(
        GenerateResponse,
        '/generate',
        generate({ lora_path: 'policy@v1' }),
      );
      assert.equal(meta_info.weight_version, 'policy@v1');
      answers.set(name, meta_info.input_token_logprobs?.at(-1)?.[0] ?? Number.NaN);
    }
    const base = await first.ask(GenerateResponse, '/generate', generate({}));
    answers.set('base', base.meta_info.input_token_logprobs?.at(-1)?.[0] ?? Number.NaN);
    assert.equal(new Set(answers.values()).size, 3, JSON.stringify([...answers]));

    const { id } = idOf('anna');
    for (const client of [ben.client, first])
      for (const name of ['policy@v2', `${id}:policy@v1`, 'anna:policy@v1']) {
        const codes = [
          await client.refused('/generate', generate({ lora_path: name })),
          await client.refused('/unload_lora_adapter', { lora_name: name }),
          await client.refused('/load_lora_adapter', { lora_name: name, lora_path: name }),
        ].map(({ code }) => code);
        assert.deepEqual(codes, ['adapter_not_loaded', 'adapter_not_loaded', 'adapter_invalid'], name);
      }
    const none = await first.refused('/generate', generate({ lora_path: 'policy@v1' }));
    assert.equal(none.code, 'adapter_not_loaded');
    await anna.client.ask(GenerateResponse, '/generate', generate({ lora_path: 'policy@v1' }));
  });

  test('USERS-4: a prompt that she has sent is read anew for him', async () => {
    const input_ids = PROMPT.toReversed();
    const cached = [];
    for (const { client } of [anna, ben, anna])
      cached.push(
        (await client.ask(GenerateResponse, '/generate', generate({ input_ids, logprob_start_len: -1 })))
          .meta_info.cached_tokens,
      );
    assert.deepEqual(cached, [0, 0, PROMPT.length - 1]);
  });

  test('USERS-6: users outlive a restart; who is removed leaves nothing, and the other goes on', async () => {
    assert.equal(await worker.stop(), 0);
    worker = await start(Number(new URL(worker.pairing.url).port));
    await until(() => [anna, ben].every(({ link }) => link.status.connected));
    const { text } = await userCommand('list');
    assert.match(text, /^anna .* 3 versions.*\nben .* 1 version, /);
    const asked = await userCommand('remove', 'ben');
    assert.equal(asked.code, 1, asked.text);
    assert.equal((await ben.client.send('/worker/info')).status, 200);
    const gone = await userCommand('remove', 'ben', '--yes');
    assert.equal(gone.code, 0, gone.text);
    await until(async () => (await ben.client.send('/worker/info')).status === 401);
    await until(() => !ben.link.status.connected);
    await until(async () => (await readdir(join(home, 'users'))).length === 1);
    assert.equal((await anna.client.send('/worker/info')).status, 200);
    const log = await readFile(join(home, 'logs', 'gpu-worker.log'), 'utf8');
    assert.ok([anna, ben].every(({ pairing }) => !log.includes(pairing.key)));
    const kept = await readdir(join(ben.home, 'adapters'));
    assert.ok(kept.includes('policy@v1'), 'his own machine keeps what it fetched');
  });
});
