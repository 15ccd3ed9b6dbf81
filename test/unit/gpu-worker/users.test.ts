/** Several users on one worker's port: what is theirs alone, and what happens to who reaches for another's. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { z } from 'zod';
import type { WorkerLink } from '../../../agent-server/loops/worker-link.ts';
import { describeFiles } from '../../../agent-server/parcels/pull.ts';
import { GenerateResponse } from '../../../agent-server/protocol/engine.ts';
import { weightVersion } from '../../../agent-server/protocol/ids.ts';
import { WorkerInfo } from '../../../agent-server/protocol/link.ts';
import { addUser, type User, userHome } from '../../../gpu-worker/users/user-file.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { KEY, linkTo } from '../../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { RawLink } from '../../fixtures/raw-link.ts';
import { KeyClient, openUsersWorker, type UsersWorker } from '../../fixtures/users-worker.ts';

const never = new AbortController().signal;
const Models = z.object({ data: z.array(z.object({ id: z.string() })) });
const PROMPT = Array.from({ length: 40 }, (_, index) => index + 3);
const FILES = ['manifest.json', 'batch.safetensors'] as const;

suite('users of one worker', { timeout: 60_000 }, () => {
  let home: string;
  let worker: UsersWorker;
  let anna: { user: User; client: KeyClient; key: string; link: WorkerLink };
  let ben: { user: User; client: KeyClient; key: string };
  /** Streams of the fake engine wait here, once it is set. */
  let hold: Promise<void> | null;
  const links: { close(): void }[] = [];

  const added = (name: string) => {
    const { user, key } = addUser(home, name);
    return { user, key, client: new KeyClient(worker.url, key) };
  };
  const linkOf = (key: string, folder: string) => {
    const link = linkTo(() => ({ url: worker.url, key }), folder, { owner: randomUUID() });
    links.push(link);
    link.connect();
    return link;
  };
  const trained = async (link: WorkerLink, number = 1) => {
    const batch = await writeBatch(temporaryFolder(), { number });
    return { ...batch, made: await link.train(batch.manifest.batchId, batch.folder, never) };
  };
  const load = (name: string) => ({ lora_name: name, lora_path: name });
  const generate = (more: object) => ({
    input_ids: PROMPT,
    sampling_params: { max_new_tokens: 4, temperature: 0 },
    ...more,
  });

  beforeEach(async () => {
    hold = null;
    home = temporaryFolder();
    worker = await openUsersWorker(home, {
      beforeToken: async (_, index) => {
        if (index > 0) await hold;
      },
    });
    const one = added('anna');
    anna = { ...one, link: linkOf(one.key, temporaryFolder()) };
    ben = added('ben');
    await trained(anna.link);
    await anna.client.ask(z.object({ success: z.literal(true) }), '/load_lora_adapter', load('policy@v1'));
  });
  afterEach(async () => {
    for (const link of links.splice(0)) link.close();
    await worker.close();
  });

  test('USERS-1: a key each, and folders, adapters and lineage of their own; a version of the same name is another', async () => {
    const stranger = await new KeyClient(worker.url, 'nobodys-key-of-16').refused('/model_info');
    assert.deepEqual([stranger.status, stranger.code], [401, 'unauthorized']);
    const bens = linkOf(ben.key, temporaryFolder());
    await trained(bens);
    await ben.client.ask(z.object({ success: z.literal(true) }), '/load_lora_adapter', load('policy@v1'));
    for (const { user } of [anna, ben])
      assert.ok(existsSync(join(userHome(home, user), 'adapters', 'policy@v1', 'lineage.json')));
    assert.equal(existsSync(join(home, 'adapters', 'policy@v1')), false, 'the first user has none');
    assert.deepEqual(
      [...worker.engine.adapters.values()].toSorted(),
      [anna, ben].map(({ user }) => join(userHome(home, user), 'adapters', 'policy@v1')).toSorted(),
    );
    const answer = await ben.client.ask(GenerateResponse, '/generate', generate({ lora_path: 'policy@v1' }));
    assert.equal(answer.meta_info.weight_version, 'policy@v1');
    assert.equal(worker.engine.requests.at(-1)?.adapter, `${ben.user.id}:policy@v1`);
  });

  test('USERS-2: what a user is told is of them alone', async () => {
    await anna.client.ask(GenerateResponse, '/generate', generate({ lora_path: 'policy@v1' }));
    const told = [];
    for (const { client } of [anna, ben]) {
      const { data } = await client.ask(Models, '/v1/models');
      const requests = /num_requests_total\{[^}]*\} (\d+)/.exec(await client.text('/metrics'))?.[1] ?? '0';
      told.push([data.map(({ id }) => id), requests]);
    }
    assert.deepEqual(told, [
      [['model', 'policy@v1'], '1'],
      [['model'], '0'],
    ]);
    const { link, welcome } = await RawLink.open(worker.url, ben.key, randomUUID());
    links.push(link);
    assert.deepEqual(welcome.versions, []);

    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    worker.backend.beforeRun = () => {
      begun.resolve();
      return held.promise;
    };
    worker.backend.state = () => ({ state: 'busy', restarts: 0, detail: null });
    const training = trained(anna.link, 2);
    await begun.promise;
    const states = await Promise.all(
      [anna, ben].map(async ({ client }) => (await client.ask(WorkerInfo, '/worker/info')).trainer.state),
    );
    assert.deepEqual(states, ['busy', 'ready']);
    held.resolve();
    await training;
  });

  test('USERS-3: another’s adapter is one that is not loaded, by whatever name and route', async () => {
    const names = [
      'policy@v1',
      `${anna.user.id}:policy@v1`,
      'anna:policy@v1',
      'default:policy@v1',
      '../anna',
    ];
    for (const client of [ben.client, new KeyClient(worker.url, KEY)]) {
      const unknown = await client.refused('/generate', generate({ lora_path: 'policy@v9' }));
      for (const name of names) {
        const refusals = [
          await client.refused('/generate', generate({ lora_path: name })),
          await client.refused('/v1/chat/completions', {
            model: 'model',
            messages: [{ role: 'user', content: 'hello' }],
            lora_path: name,
          }),
          await client.refused('/unload_lora_adapter', { lora_name: name }),
        ];
        for (const { code, status } of refusals)
          assert.deepEqual([code, status], ['adapter_not_loaded', 404], name);
        assert.equal(refusals[0]?.text, unknown.text.replaceAll('policy@v9', name), 'as one that never was');
        const chat = await client.refused('/v1/chat/completions', {
          model: name,
          messages: [{ role: 'user', content: 'hello' }],
        });
        assert.equal(chat.code, 'model_not_found');
        const loading = await client.refused('/load_lora_adapter', load(name));
        assert.equal(loading.code, 'adapter_invalid');
        assert.ok(!loading.text.includes(`users/${anna.user.id}`), loading.text);
      }
      const byPath = {
        lora_name: 'policy@v1',
        lora_path: join(userHome(home, anna.user), 'adapters/policy@v1'),
      };
      assert.equal((await client.refused('/load_lora_adapter', byPath)).code, 'adapter_invalid');
    }
    assert.equal(worker.engine.adapters.size, 1);
    await anna.client.ask(GenerateResponse, '/generate', generate({ lora_path: 'policy@v1' }));
  });

  test('USERS-3: another’s requests are not ended, stopped or joined', async () => {
    const held = Promise.withResolvers<void>();
    hold = held.promise;
    const stream = await anna.client.send('/generate', generate({ rid: 'one', stream: true }));
    for (const body of [{ rid: 'one' }, { rid: `${anna.user.id}:one` }, { abort_all: true }])
      assert.equal((await ben.client.send('/abort_request', body)).status, 200);
    for (const mode of ['in_place', 'abort'])
      assert.equal((await ben.client.refused('/pause_generation', { mode })).code, 'invalid_request');
    const own = await ben.client.send('/generate', generate({ rid: 'one', stream: true }));
    assert.equal(own.status, 200, 'a request id is taken by its own user alone');
    held.resolve();
    for (const response of [stream, own])
      assert.match(await response.text(), /"finish_reason":\{"type":"length","length":4\}/);
  });

  test('USERS-4: what one user had read is not in the cache for another', async () => {
    const cached = [];
    for (const { client } of [anna, ben, anna, ben])
      cached.push((await client.ask(GenerateResponse, '/generate', generate({}))).meta_info.cached_tokens);
    assert.deepEqual(cached, [0, 0, PROMPT.length - 1, PROMPT.length - 1]);
  });

  test('USERS-5: no message of the link reaches another’s versions, batches or runs', async () => {
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    worker.backend.beforeRun = () => {
      begun.resolve();
      return held.promise;
    };
    const batch = await writeBatch(temporaryFolder(), { number: 2 });
    const { batchId } = batch.manifest;
    const running = anna.link.train(batchId, batch.folder, never);
    await begun.promise;
    const { link } = await RawLink.open(worker.url, ben.key, randomUUID());
    links.push(link);

    link.send({ type: 'cancel', batchId });
    link.send({ type: 'keep', versions: [] });
    await link.settled();
    link.send({
      type: 'read',
      id: 1,
      parcel: { kind: 'version', version: weightVersion(1) },
      file: 'adapter_model.safetensors',
      offset: 0,
      length: 10,
    });
    assert.equal((await link.next('unread')).code, 'not_found');
    // Who knows its sha256 has to bring the bytes all the same.
    const folder = join(userHome(home, anna.user), 'adapters', 'policy@v1');
    const names = ['adapter_config.json', 'lineage.json', 'adapter_model.safetensors'] as const;
    const files = await describeFiles(folder, names);
    const adapterSha256 = files[2]?.sha256 ?? assert.fail();
    link.send({ type: 'put', version: batch.manifest.parent, adapterSha256, files });
    assert.equal((await link.next('held', 'unheld', 'read')).type, 'read');
    // A batch of the same id is another's batch, and its parent is not here.
    link.send({ type: 'train', batchId, files: await describeFiles(batch.folder, FILES) });
    const asked = await link.next('trained', 'failed', 'read');
    assert.deepEqual(asked.type === 'read' && asked.parcel, { kind: 'batch', batchId });
    assert.equal((await link.next('failed')).code, 'not_found');
    const child = await writeBatch(temporaryFolder(), { number: 2 });
    const { batchId: childId } = child.manifest;
    link.channel.offer({ kind: 'batch', batchId: childId }, child.folder);
    link.send({ type: 'train', batchId: childId, files: await describeFiles(child.folder, FILES) });
    assert.equal((await link.next('queued')).ahead, 1);
    held.resolve();
    assert.equal((await running).version, 'policy@v2');
    const refusal = await link.next('trained', 'failed');
    assert.equal(refusal.type === 'failed' && refusal.code, 'adapter_invalid', 'its parent is not here');
    assert.deepEqual((await readdir(join(userHome(home, anna.user), 'adapters'))).toSorted(), [
      'policy@v1',
      'policy@v2',
    ]);
    assert.deepEqual(await readdir(join(userHome(home, ben.user), 'adapters')), []);
  });
});
