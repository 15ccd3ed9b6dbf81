/** Users come and go while the worker runs: keys, folders, and what was under way. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parsePairing } from '../../../agent-server/protocol/pairing.ts';
import { userCommand } from '../../../gpu-worker/cli/user-command.ts';
import { TrainingRuns } from '../../../gpu-worker/trainer/runs.ts';
import { TrainingQueue } from '../../../gpu-worker/trainer/training-queue.ts';
import {
  addUser,
  keySha256,
  readUsers,
  removeUser,
  replaceKey,
  userHome,
  usersFolder,
} from '../../../gpu-worker/users/user-file.ts';
import { Weights } from '../../../gpu-worker/weights/weights.ts';
import { FakeTrainBackend } from '../../fakes/trainer.ts';
import { writeBatch } from '../../fixtures/batches.ts';
import { linkTo } from '../../fixtures/gpu-worker.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { RawLink } from '../../fixtures/raw-link.ts';
import { KeyClient, openUsersWorker } from '../../fixtures/users-worker.ts';

const never = new AbortController().signal;
const POSIX = process.platform !== 'win32';
const silent = () => undefined;

test('FAIR-4: eight batches of a user wait at most; others enter all the same, and who asks again is told the place', async () => {
  const backend = new FakeTrainBackend();
  const held = Promise.withResolvers<void>();
  backend.beforeRun = () => held.promise;
  const queue = new TrainingQueue();
  const runsOf = async (user: string) => {
    const home = temporaryFolder();
    const weights = new Weights(home, 'base@1');
    await weights.open();
    return new TrainingRuns(weights, backend, silent, queue.of(user));
  };
  const [anna, ben] = [await runsOf('anna'), await runsOf('ben')];
  const batches = [];
  for (let number = 1; number <= 9; number += 1)
    batches.push(await writeBatch(temporaryFolder(), { number }));
  const waiting = batches
    .slice(0, 8)
    .map(({ manifest, folder }) => anna.train(manifest.batchId, folder, silent));
  const ninth = batches[8] ?? assert.fail();
  await assert.rejects(anna.train(ninth.manifest.batchId, ninth.folder, silent), {
    code: 'queue_full',
    message: /one too many: 8 of yours/,
  });
  const bens = await writeBatch(temporaryFolder());
  const aheads: number[] = [];
  const again: number[] = [];
  const ask = (told: number[]) =>
    ben.train(bens.manifest.batchId, bens.folder, silent, (ahead) => told.push(ahead));
  const one = ask(aheads);
  const joined = ask(again);
  assert.deepEqual([aheads, again], [[1], [1]]);
  held.resolve();
  await Promise.all([one, joined]);
  assert.equal(backend.started, 2, 'one of hers, then his');
  await Promise.all(waiting);
  assert.equal(backend.started, 9);
});

test('USERS-6: who is added is let in at once, a new key takes the old one’s place, and who is removed leaves nothing', async (t) => {
  const home = temporaryFolder();
  const running = Promise.withResolvers<void>();
  const worker = await openUsersWorker(home, {
    beforeToken: (request) => (request.rid.endsWith('held') ? running.promise : Promise.resolve()),
  });
  t.after(() => worker.close());
  const { user, key } = addUser(home, 'anna');
  const other = addUser(home, 'ben');
  const first = new KeyClient(worker.url, key);
  assert.equal((await first.send('/model_info')).status, 200);
  const ben = new KeyClient(worker.url, other.key);

  const owner = randomUUID();
  const { link } = await RawLink.open(worker.url, key, owner);
  const cut = once(link.socket, 'close');
  const { key: newKey } = replaceKey(home, 'anna');
  await worker.users.refresh();
  await cut;
  assert.equal((await first.refused('/model_info')).status, 401);
  const anna = new KeyClient(worker.url, newKey);

  const annas = linkTo(() => ({ url: worker.url, key: newKey }), temporaryFolder(), { owner });
  t.after(() => annas.close());
  annas.connect();
  const batch = await writeBatch(temporaryFolder());
  await annas.train(batch.manifest.batchId, batch.folder, never);
  assert.equal((await anna.send('/load_lora_adapter', version('policy@v1'))).status, 200);
  const begun = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  worker.backend.beforeRun = () => {
    begun.resolve();
    return held.promise;
  };
  const second = await writeBatch(temporaryFolder(), { number: 2 });
  const stopped = new AbortController();
  const training = annas.train(second.manifest.batchId, second.folder, stopped.signal).catch(() => undefined);
  await begun.promise;
  const answering = anna.send('/generate', {
    input_ids: [5, 6, 7],
    rid: 'held',
    lora_path: 'policy@v1',
    sampling_params: { max_new_tokens: 3 },
  });
  while (worker.engine.inFlight === 0) await delay(5);

  removeUser(home, 'anna');
  await worker.users.refresh();
  assert.equal((await anna.refused('/model_info')).status, 401);
  assert.equal((await answering).status, 200);
  held.resolve();
  const folder = userHome(home, user);
  while (existsSync(folder)) await delay(5);
  assert.deepEqual([...worker.engine.adapters.keys()], []);
  assert.equal(worker.engine.inFlight, 0);
  stopped.abort();
  await training;
  assert.equal((await ben.send('/model_info')).status, 200);

  const namesake = addUser(home, 'anna');
  const { link: fresh, welcome } = await RawLink.open(worker.url, namesake.key, owner);
  assert.deepEqual(welcome.versions, []);
  fresh.close();
  assert.ok(
    worker.logged.every((line) => ![key, newKey, other.key, namesake.key].some((one) => line.includes(one))),
  );
});

test('USERS-7: of a key its hash is kept, for nobody else to read; changes at once take turns, and a file that is damaged ends nobody', async (t) => {
  const home = temporaryFolder();
  const { key } = addUser(home, 'anna');
  const file = join(home, 'users.json');
  assert.ok(!readFileSync(file, 'utf8').includes(key) && readFileSync(file, 'utf8').includes(keySha256(key)));
  if (POSIX) assert.equal(statSync(file).mode & 0o777, 0o600);

  const lock = `${file}.tmp`;
  writeFileSync(lock, '');
  assert.throws(() => addUser(home, 'ben'), { code: 'invalid_request', message: /changing the users now/ });
  utimesSync(lock, new Date(0), new Date(0));
  addUser(home, 'ben');
  assert.equal(existsSync(lock), false);

  const worker = await openUsersWorker(home);
  t.after(() => worker.close());
  const anna = new KeyClient(worker.url, key);
  const good = readFileSync(file, 'utf8');
  for (const bad of ['{', JSON.stringify({ format: 1, users: [{ name: '../x' }] })]) {
    writeFileSync(file, bad);
    await worker.users.refresh();
    await worker.users.refresh();
    assert.equal((await anna.send('/model_info')).status, 200);
    await assert.rejects(openUsersWorker(home), {
      code: 'setup_failed',
      message: /users\.json cannot be read/,
    });
  }
  assert.equal(
    worker.logged.filter((line) => line.startsWith('Users: ')).length,
    2,
    worker.logged.join('\n'),
  );
  writeFileSync(file, good);
  await worker.users.refresh();
  assert.deepEqual(worker.users.added, ['anna', 'ben']);
});

test('USERS-6: what a user left who was removed while no worker ran is deleted at the next start', async (t) => {
  const home = temporaryFolder();
  const kept = addUser(home, 'anna').user;
  const gone = join(usersFolder(home), randomUUID());
  const foreign = join(usersFolder(home), 'notes');
  for (const folder of [gone, foreign]) mkdirSync(folder, { recursive: true });
  const worker = await openUsersWorker(home);
  t.after(() => worker.close());
  assert.deepEqual((await readdir(usersFolder(home))).toSorted(), ['notes', kept.id].toSorted());
});

test('USERS-8: `apprentice-worker user` adds, lists, gives a new key and removes, the last only after a clear word', async () => {
  const home = temporaryFolder();
  let text = '';
  const said = async (...args: string[]) => {
    text = '';
    const status = await userCommand([...args, '--home', home], {}, (piece) => {
      text += piece;
    });
    return { status, text };
  };
  const lineIn = (from: string) => parsePairing(from.split('\n').find((one) => one.includes('://')) ?? '');
  const flags = ['--host', '0.0.0.0', '--tls-self-signed', '--allow-host', 'gpu.example', '--port', '7000'];
  const added = lineIn((await said('add', 'anna', ...flags)).text) ?? assert.fail(text);
  assert.equal(added.url, 'https://gpu.example:7000');
  assert.match(added.sha256 ?? '', /^[0-9a-f]{64}$/);
  const [user] = readUsers(home);
  assert.ok(user !== undefined && user.keySha256 === keySha256(added.key));
  const renewed = lineIn((await said('key', 'anna')).text) ?? assert.fail(text);
  assert.deepEqual(
    readUsers(home).map(({ id, keySha256: sha256 }) => [id, sha256]),
    [[user.id, keySha256(renewed.key)]],
  );
  const folder = join(userHome(home, user), 'adapters', 'policy@v3');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.alloc(2_000_000));
  assert.match((await said('list')).text, /^anna +since \d{4}-\d\d-\d\d {2}1 version, 2\.0 MB in /);

  const asked = await said('remove', 'anna');
  assert.deepEqual([asked.status, readUsers(home).length, existsSync(folder)], [1, 1, true]);
  assert.match(asked.text, /deletes 1 version, 2\.0 MB[\s\S]*--yes/);
  const removed = await said('remove', 'anna', '--yes');
  assert.deepEqual([removed.status, readUsers(home), existsSync(userHome(home, user))], [0, [], false]);

  for (const args of [
    ['add', 'anna', '--port', '0'],
    ['add', 'anna', '--yes'],
    ['add', 'Anna'],
    ['add', '../anna'],
    ['add', 'default'],
    ['add'],
    ['list', 'anna'],
    ['rename', 'anna'],
    ['add', 'anna', 'ben'],
    ['add', 'anna', '--host', '0.0.0.0'],
  ])
    await assert.rejects(said(...args), { code: 'invalid_request' }, args.join(' '));
  for (const args of [
    ['remove', 'anna', '--yes'],
    ['key', 'default'],
    ['remove', 'default', '--yes'],
  ])
    await assert.rejects(said(...args), { code: 'not_found' }, args.join(' '));
  assert.deepEqual(readUsers(home), []);
  rmSync(home, { recursive: true });
});

function version(name: string) {
  return { lora_name: name, lora_path: name };
}
