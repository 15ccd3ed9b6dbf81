/**
 * What lies in gpu-worker/deploy/ holds together and fits the program: images and containers are not started here, but
 * every flag is read by the program's own reader, and every path, port and network is held against the others.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { DEFAULT_WORKER_PORT } from '../../../agent-server/protocol/pairing.ts';
import { type Options, readOptions } from '../../../gpu-worker/cli/options.ts';
import { SGLANG_ENVIRONMENT, sglangFlags } from '../../../gpu-worker/engine/sglang/flags.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const FOLDER = join(repositoryRoot, 'gpu-worker', 'deploy');
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ');

const Gpu = z.strictObject({
  driver: z.literal('nvidia'),
  device_ids: z.array(z.string()),
  capabilities: z.tuple([z.literal('gpu')]),
});
/** Of the compose specification what is used here; a key that is none of these is a slip. */
const Service = z.strictObject({
  build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
  image: z.string().optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()).default(['default']),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  init: z.literal(true).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  shm_size: z.string().optional(),
  stop_grace_period: z.string().optional(),
  restart: z.literal('unless-stopped').optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      retries: z.number(),
      start_period: z.string(),
    })
    .optional(),
  deploy: z
    .strictObject({
      resources: z.strictObject({ reservations: z.strictObject({ devices: z.tuple([Gpu]) }) }),
    })
    .optional(),
});
const Compose = z.strictObject({
  name: z.string().optional(),
  'x-sglang': z.unknown().optional(),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()).default({}),
  networks: z.record(z.string(), z.strictObject({ internal: z.literal(true) })).default({}),
});

/** What the user has to give; all else has a default. */
const GIVEN = {
  APPRENTICE_MODEL_DIR: '/models/some-model',
  APPRENTICE_ENGINE_KEY: 'a key for requests',
  APPRENTICE_ENGINE_ADMIN_KEY: 'a key for what changes a server',
};

/** A compose file with `${NAME:-default}` and `${NAME:?message}` filled in as compose does. */
function compose(name: string, env: Record<string, string> = GIVEN): z.infer<typeof Compose> {
  const text = read(name).replace(
    /\$\{(\w+):([-?])([^}]*)\}/g,
    (_all, variable: string, how, other: string) => {
      const value = env[variable];
      assert.ok(value !== undefined || how === '-', `${name} needs ${variable}: ${other}`);
      return value ?? other;
    },
  );
  assert.doesNotMatch(text, /\$\{/, name);
  return Compose.parse(parse(text, { merge: true }));
}

/** Flags of the image and of the service, read as the program reads them. */
function options(flags: readonly string[]): Options {
  const [, entry = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
  const own = z.array(z.string()).parse(JSON.parse(entry)).slice(2);
  const [, model] = /APPRENTICE_MODEL=(\S+)/.exec(dockerfile) ?? [];
  return readOptions([...own, ...flags], { APPRENTICE_MODEL: model });
}

const alone = compose('compose.yaml');
const over = compose('compose.sglang.yaml');
const worker = alone.services['worker'] ?? assert.fail('no worker');
const engines = Object.entries(over.services).filter(([name]) => name !== 'worker');

test('DEPLOY-1: containers start the program with flags that it has, and keep what it needs', () => {
  const read = options(worker.command);
  assert.deepEqual([read.command, read.tls.kind, read.device], ['run', 'self-signed', 'cuda']);
  assert.ok(read.hosts.includes('localhost'));
  const image = options(
    z.array(z.string()).parse(JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]')),
  );
  assert.deepEqual([image.host, image.port, image.tls.kind], ['0.0.0.0', DEFAULT_WORKER_PORT, 'self-signed']);
  const mounted = worker.volumes.map((volume) => volume.split(':')[1]);
  assert.deepEqual(mounted, [read.home, /APPRENTICE_MODEL=(\S+)/.exec(dockerfile)?.[1]]);
  assert.ok(worker.healthcheck?.test.at(-1)?.includes(`:${read.port}/health`));
});

test('DEPLOY-1: the unit starts it with flags that it has', () => {
  const line = /^ExecStart=\S+\/apprentice-worker (.+)$/m.exec(read('apprentice-worker.service'))?.[1] ?? '';
  assert.deepEqual(readOptions(line.split(' '), {}).tls.kind, 'self-signed');
});

test('DEPLOY-2: one port is published, on loopback unless another address is given; engines have none and no way out', () => {
  assert.deepEqual(worker.ports, [`127.0.0.1:${DEFAULT_WORKER_PORT}:${options(worker.command).port}`]);
  const open = compose('compose.yaml', { ...GIVEN, APPRENTICE_ADDRESS: '0.0.0.0' });
  assert.deepEqual(open.services['worker']?.ports, [`0.0.0.0:${DEFAULT_WORKER_PORT}:7430`]);
  assert.ok(engines.length > 1);
  const inside = Object.keys(over.networks);
  for (const [name, { ports, networks, command }] of engines) {
    assert.deepEqual([ports, networks], [[], inside], name);
    const keys = command
      .filter((flag) => /^--(admin-)?api-key=/.test(flag))
      .map((flag) => flag.split('=')[1]);
    assert.deepEqual(keys, [GIVEN.APPRENTICE_ENGINE_KEY, GIVEN.APPRENTICE_ENGINE_ADMIN_KEY], name);
  }
  assert.deepEqual(over.services['worker']?.networks, ['default', ...inside]);
  assert.deepEqual(over.services['worker']?.ports, [], 'published where the file below says');
});

test('DEPLOY-3: engines find model and adapters where the worker has them, each on a GPU of its own', () => {
  const readOnly = worker.volumes.map((volume) => volume.replace(/(:ro)?$/, ':ro'));
  const gpuOf = (service: z.infer<typeof Service>) =>
    service.deploy?.resources.reservations.devices[0].device_ids;
  const gpus = [worker, ...engines.map(([, service]) => service)].flatMap((service) => gpuOf(service) ?? []);
  assert.equal(new Set(gpus).size, 1 + engines.length);
  for (const [name, { volumes, command }] of engines) {
    assert.deepEqual(volumes, readOnly, name);
    assert.ok(command.includes(`--model-path=${worker.volumes[1]?.split(':')[1]}`), name);
  }
});

test('DEPLOY-3: the worker is given the engines that there are, started as it would start them itself', () => {
  const read = options(over.services['worker']?.command ?? []);
  const choice = read.engine.kind === 'url' ? read.engine : assert.fail(read.engine.kind);
  assert.deepEqual([choice.key, choice.adminKey], [null, null], 'keys are no flags');
  const [, router] = /(\/\S+)\/bin\/pip install [^&\n]*sglang-router==/.exec(dockerfile) ?? [];
  assert.equal(choice.routerPython, `${router}/bin/python`);
  assert.deepEqual(
    choice.urls,
    engines.map(([name]) => `http://${name}:30000`),
  );
  const own = sglangFlags({
    model: read.model,
    modelName: basename(read.model),
    maxAdapters: choice.maxAdapters,
    maxLoraRank: 64,
    maxRunning: read.maxRunning,
    seed: 0,
    determinism: 'off',
    extra: [],
  });
  for (const [name, { command, environment }] of engines) {
    const flags = command.flatMap((flag) => /^(--[a-z-]+)=(.*)$/.exec(flag)?.slice(1) ?? [flag]);
    const there = ['--host', '0.0.0.0', '--port', '30000'];
    const keys = [
      '--api-key',
      GIVEN.APPRENTICE_ENGINE_KEY,
      '--admin-api-key',
      GIVEN.APPRENTICE_ENGINE_ADMIN_KEY,
    ];
    assert.deepEqual(flags.toSorted(), [...own, ...there, ...keys].toSorted(), name);
    for (const [variable, value] of Object.entries(SGLANG_ENVIRONMENT))
      assert.equal(environment[variable], value, variable);
  }
});

test('DEPLOY-4: the image is made of files that there are, from images with a version, and runs as nobody', () => {
  const allowed = read('Dockerfile.dockerignore')
    .split('\n')
    .flatMap((line) => /^!([^*]+?)(\/\*\*)?$/.exec(line)?.[1] ?? []);
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, paths = '']) =>
    paths.trim().split(/\s+/).slice(0, -1),
  );
  assert.ok(sources.length >= 5);
  for (const source of sources) {
    assert.ok(existsSync(join(repositoryRoot, source)), source);
    assert.ok(
      allowed.some((path) => source === path || source.startsWith(`${path}/`)),
      source,
    );
  }
  const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  const used = engines.map(([, { image }]) => image);
  for (const image of [...images, ...used]) assert.match(image ?? '', /:(?!latest)\S*\d/, image);
  assert.match(dockerfile, /^USER [1-9]\d+$/m);
  assert.ok(!/\blatest\b/.test(dockerfile));
  assert.ok(dockerfile.includes('/src/dist/apprentice-worker.mjs'), 'what esbuild.mjs calls the bundle');
  assert.match(
    readFileSync(join(repositoryRoot, 'esbuild.mjs'), 'utf8'),
    /outfile: 'apprentice-worker\.mjs'/,
  );
});
