/** `apprentice-worker`: its flags, its key, its certificate, its pairing line and what --check finds. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatPairing, parsePairing } from '../../../agent-server/protocol/pairing.ts';
import { certificateFor } from '../../../gpu-worker/cli/certificate.ts';
import { check, type Finding, findingText } from '../../../gpu-worker/cli/check.ts';
import { engineFindings } from '../../../gpu-worker/cli/check-engine.ts';
import { workerKey } from '../../../gpu-worker/cli/key-file.ts';
import { readOptions, USAGE } from '../../../gpu-worker/cli/options.ts';
import { ENGINE_FLAGS } from '../../../gpu-worker/engine/choice.ts';
import { startFakeEngine } from '../../fakes/engine.ts';
import { runApprenticeWorker } from '../../fixtures/apprentice-worker.ts';
import { selfSigned } from '../../fixtures/certificate.ts';
import { temporaryFolder } from '../../fixtures/home.ts';
import { runtime } from '../../fixtures/runtime.ts';

const POSIX = process.platform !== 'win32';

test('CLI-1: off loopback it does not listen without TLS, unless told that the network is trusted', () => {
  const options = (...flags: string[]) => readOptions(['--home', '/w', ...flags], {});
  assert.deepEqual([options().host, options().port, options().tls.kind], ['127.0.0.1', 7430, 'none']);
  for (const host of ['0.0.0.0', '::', 'gpu.example', '10.0.0.7'])
    assert.throws(() => options('--host', host), /does not listen/);
  for (const host of ['localhost', '127.0.0.2', '::1']) assert.equal(options('--host', host).host, host);
  assert.equal(options('--host', '10.0.0.7', '--insecure-network').tls.kind, 'none');
  const open = options('--host', '0.0.0.0', '--tls-self-signed', '--allow-host', 'GPU.example');
  assert.ok(
    ['gpu.example', '127.0.0.1'].every((name) => open.hosts.includes(name)),
    open.hosts.join(' '),
  );
  assert.equal(open.name, 'GPU.example');
  for (const wrong of [
    ['--tls-cert', 'a.pem'],
    ['--tls-cert', 'a.pem', '--tls-key', 'k.pem', '--tls-self-signed'],
    ['--port', '70000'],
    ['--device', 'cuda; rm'],
    ['--check', '--setup'],
    ['--unknown'],
    ['stray'],
  ])
    assert.throws(() => options(...wrong), { code: 'invalid_request' }, wrong.join(' '));
});

test('CLI-2: the key is made once, for nobody else to read, and the environment wins', () => {
  const home = join(temporaryFolder(), 'worker');
  const made = workerKey(home, {});
  assert.match(made, /^[\w-]{43}$/);
  const file = join(home, 'worker-key');
  if (POSIX) {
    assert.deepEqual([statSync(file).mode & 0o777, statSync(home).mode & 0o777], [0o600, 0o700]);
    chmodSync(file, 0o644);
  }
  assert.equal(workerKey(home, {}), made);
  if (POSIX) assert.equal(statSync(file).mode & 0o777, 0o600, 'a start closes it again');
  assert.equal(workerKey(home, { APPRENTICE_WORKER_KEY: 'k'.repeat(20) }), 'k'.repeat(20));
  assert.throws(() => workerKey(home, { APPRENTICE_WORKER_KEY: 'short' }), { code: 'invalid_request' });
});

test('CLI-3: a certificate of its own is made once, kept, and told by its fingerprint', () => {
  const home = temporaryFolder();
  const options = {
    tls: { kind: 'self-signed' },
    home,
    hosts: ['gpu.example', '10.0.0.7', '[fe80::1]'],
  } as const;
  const made = certificateFor(options);
  assert.match(made?.sha256 ?? '', /^[0-9a-f]{64}$/);
  assert.deepEqual(certificateFor(options), made);
  if (POSIX) assert.equal(statSync(join(home, 'tls', 'key.pem')).mode & 0o777, 0o600);
  const other = selfSigned();
  const certificateFile = join(home, 'tls', 'certificate.pem');
  const keyFile = join(home, 'other.pem');
  writeFileSync(keyFile, other.privateKey);
  const mixed = { ...options, tls: { kind: 'files', certificateFile, keyFile } } as const;
  assert.throws(() => certificateFor(mixed), /not that of the certificate/);
  writeFileSync(keyFile, 'no key');
  assert.throws(() => certificateFor(mixed), { code: 'invalid_request' });
});

test('CLI-4: a pairing line is read as it was written, also over a line break; what is none is not read', () => {
  const key = 'a-key-of-16-or-more_~';
  for (const pairing of [
    { url: 'https://gpu.example:7430', key, sha256: null },
    { url: 'https://10.0.0.7:7430', key, sha256: 'ab'.repeat(32) },
    { url: 'http://127.0.0.1:7430', key, sha256: null },
    { url: 'https://[::1]:7430', key, sha256: null },
  ]) {
    const line = formatPairing(pairing);
    assert.deepEqual(parsePairing(`  ${line.slice(0, 30)}\n${line.slice(30)} \n`), pairing);
    assert.ok(!new URL(line).host.includes(key), 'the key is in the fragment alone');
  }
  for (const line of [
    'https://gpu.example:7430',
    `apprentice-worker://gpu.example:7430#short`,
    `apprentice-worker://gpu.example:7430?sha256=zz#${key}`,
    `apprentice-worker://user@gpu.example:7430/path#`,
    '',
  ])
    assert.equal(parsePairing(line), null, line);
});

test('CLI-5: --check says what is wrong and what to do, and changes nothing', async (t) => {
  const home = join(temporaryFolder(), 'not there yet');
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const options = readOptions(['--home', home, '--python', '/missing/python', '--port', String(port)], {});
  const findings = await check(options, {});
  const of = (what: string): Finding => findings.find((one) => one.what === what) ?? assert.fail(what);
  assert.deepEqual([of('Python').kind, of('model').kind, of('port').kind], ['fault', 'fault', 'fault']);
  assert.match(of('Python').remedy, /--setup/);
  assert.match(of('port').found, /is taken/);
  assert.ok(findings.every(({ kind, remedy }) => kind === 'ok' || remedy !== ''));
  assert.match(findingText(of('port')), /^FAULT {2}port[\s\S]*-> A worker may run already/);
  assert.equal(existsSync(home), false);
  mkdirSync(home);
  writeFileSync(join(home, 'worker-key'), 'short');
  writeFileSync(join(home, 'users.json'), '{');
  const damaged = (await check(options, {})).filter(({ what }) => ['key', 'users'].includes(what));
  assert.deepEqual(
    damaged.map(({ kind }) => kind),
    ['fault', 'fault'],
  );
});

test('CLI-7: --check looks for SGLang and its router, and asks servers that run already', async (t) => {
  const { python } = runtime();
  const started = readOptions(['--python', python, '--engine', 'sglang', '--engines', '2'], {});
  const [sglang, router] = await engineFindings(started);
  assert.deepEqual(
    [sglang?.what, sglang?.kind, router?.what, router?.kind],
    [...['sglang', 'fault'], ...['sglang-router', 'note']],
  );
  assert.match(sglang?.remedy ?? '', /sglang==0\.5\.23.*--engine-python/);
  const engine = await startFakeEngine({ key: 'k' });
  t.after(engine.close);
  const attached = (env: NodeJS.ProcessEnv) =>
    engineFindings(readOptions(['--engine', 'url', '--engine-url', engine.url], env));
  const [ok] = await attached({ APPRENTICE_ENGINE_KEY: 'k' });
  assert.deepEqual([ok?.kind, ok?.found], ['ok', `${engine.url} serves model`]);
  const [refused] = await attached({});
  assert.equal(refused?.kind, 'fault');
  assert.match(refused?.remedy ?? '', /APPRENTICE_ENGINE_KEY/);
  assert.deepEqual(await engineFindings(readOptions([], {})), []);
  const [binary, gguf] = await engineFindings(
    readOptions(['--engine', 'llama-cpp', '--llama-cpp', '/none', '--model', '/no-model'], {}),
  );
  assert.deepEqual([binary?.kind, gguf?.kind], ['fault', 'fault']);
  assert.match(binary?.remedy ?? '', /--setup --engine llama-cpp/);
  for (const flag of Object.keys(ENGINE_FLAGS)) assert.ok(USAGE.includes(`--${flag}`), flag);
});

test('CLI-6: without a model it says how to get one; a wrong flag ends it before anything starts', async () => {
  const home = temporaryFolder();
  const bare = await runApprenticeWorker(['--home', home]);
  assert.equal(bare.code, 1);
  assert.match(bare.text, /--setup/);
  const open = await runApprenticeWorker(['--home', home, '--host', '0.0.0.0']);
  assert.equal(open.code, 1);
  assert.match(open.text, /--tls-self-signed/);
  assert.equal(existsSync(join(home, 'worker-key')), false);
  const help = await runApprenticeWorker(['--help']);
  assert.equal(help.code, 0);
  const flags = readFileSync(join(import.meta.dirname, '../../../gpu-worker/cli/options.ts'), 'utf8');
  for (const [, flag] of flags.matchAll(/^ {8}'?([a-z-]+)'?: (?:text|flag|\{)/gm))
    assert.ok(help.text.includes(`--${flag}`), flag);
});
