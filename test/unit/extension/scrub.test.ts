/** Secrets do not leave the window, whoever knows their kind; ordinary code passes unchanged, and nothing is slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretValues } from '../../../extension/capture/scrub/env-values.ts';
import { scrubAll, scrubText } from '../../../extension/capture/scrub/scrub.ts';

// Put together here, so that no scanner takes this file for a leak.
const known = {
  aws: `AKIA${'Q'.repeat(16)}`,
  github: `ghp_${'a1'.repeat(20)}`,
  pem: `-----BEGIN RSA PRIVATE ${'KEY'}-----\n+MIIEow\n-----END RSA PRIVATE ${'KEY'}-----`,
  jwt: `eyJhbGciOiJI.eyJzdWIiOiIx.${'s'.repeat(20)}`,
  anthropic: `sk-ant-api03-${'aB3'.repeat(31)}AA`,
  slack: `xox${'b'}-123456789012-123456789012-${'aB3d'.repeat(6)}`,
  stripe: `sk_live_${'aB3d'.repeat(6)}`,
  npm: `npm_${'aB3d'.repeat(9)}`,
  gitlab: `glpat-${'aB3d5'.repeat(4)}`,
  huggingface: `hf_${'aBcD'.repeat(8)}aB`,
  sendgrid: `SG.${'aB3d5_'.repeat(3)}aBcd.${'aB3d5_x'.repeat(6)}a`,
};

test('CAP-8: tokens, keys, passwords and credentials in URLs are cut out', async () => {
  for (const [kind, secret] of Object.entries(known)) {
    const scrubbed = await scrubText(`+const key = "${secret}";\n+next line`, []);
    assert.ok(!scrubbed.includes(secret), kind);
    assert.match(scrubbed, /^\+const key = "<secret>"/, kind);
    assert.match(scrubbed, /\n\+next line$/, kind);
  }
  assert.equal(await scrubText(`+dbPassword: 'hunter22'`, []), `+dbPassword: '<secret>'`);
  assert.equal(await scrubText('+https://ada:pw12@example.com/x', []), '+https://<secret>@example.com/x');
  assert.equal(
    await scrubText('curl -H "Authorization: Bearer abcdef0123456789" localhost', []),
    'curl -H "Authorization: Bearer <secret>" localhost',
  );
});

test('CAP-8: code without secrets is untouched, and scrubbing twice changes nothing', async () => {
  const code = '+function password(input: string) {\n+  return fetch("https://example.com/a:b@c");\n+}';
  assert.equal(await scrubText(code, ['another-value-9']), code);
  const all = Object.values(known).join('\n+');
  const once = await scrubText(`+token = ${all}`, ['token = g']);
  assert.equal(await scrubText(once, []), once);
});

test('CAP-9: values of .env files are cut out wherever they stand; words, numbers and places are none', async () => {
  const env = [
    'NODE_ENV=development',
    'DEBUG=true',
    'PORT=30001234',
    'API_URL=http://localhost:3000/api',
    'REGION=eu-west-1',
    'APP_TITLE="My very good shop"',
    'POSTGRES_PASSWORD=postgres',
    'SHORT_TOKEN=ab1!',
    "export SESSION_SALT='tr0ub4dor&3'",
    'DEPLOY_USER=hunter22',
    'HOOK=https://hooks.example.com/T0/9f8e7d6c5b4a39281706',
    'PEM="-----BEGIN\nMIIEvQIBADANBgkqhkiG\n-----END"',
  ].join('\n');
  const values = secretValues(env);
  assert.deepEqual(values.toSorted(), [
    '-----BEGIN\nMIIEvQIBADANBgkqhkiG\n-----END',
    'MIIEvQIBADANBgkqhkiG',
    'https://hooks.example.com/T0/9f8e7d6c5b4a39281706',
    'hunter22',
    'tr0ub4dor&3',
  ]);
  assert.equal(await scrubText('$ login hunter22 tr0ub4dor&3x', values), '$ login <secret> <secret>x');
});

test('CAP-8: a text made to be slow costs in proportion to its length', async () => {
  /** Seconds of this process's own work: whatever else the machine does, they stay the same. */
  const cost = async (text: string): Promise<number> => {
    const before = process.cpuUsage();
    await scrubText(text, []);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const hostile = ['a-', '-eyJ', 'password', 'a.', 'x://a:', '-----BEGIN PRIVATE ', 'sk-', 'api_key="'];
  for (const piece of hostile) {
    const [quarter, whole] = [
      await cost(piece.repeat(262_144 / piece.length)),
      await cost(piece.repeat(1_048_576 / piece.length)),
    ];
    // Four times the text: four times the work, sixteen where it is quadratic. A second for what is no matter of length.
    assert.ok(whole < 8 * quarter + 1, `${piece}: ${quarter} s, then ${whole} s`);
  }
});

test('CAP-8: every text of an observation is scrubbed, and nothing else of it changes', async () => {
  const scrub = async (text: string): Promise<string> => text.replace('hunter22', '<secret>');
  const observation = {
    kind: 'terminal',
    commandLine: 'login hunter22',
    exitCode: 1,
    before: { output: 'hunter22 refused', exitCode: null },
    paths: ['a/hunter22.txt', 7, true],
  };
  assert.deepEqual(await scrubAll(observation, scrub), {
    kind: 'terminal',
    commandLine: 'login <secret>',
    exitCode: 1,
    before: { output: '<secret> refused', exitCode: null },
    paths: ['a/<secret>.txt', 7, true],
  });
});
