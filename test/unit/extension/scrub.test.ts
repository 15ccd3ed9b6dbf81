/** Known kinds of secrets do not leave the window; ordinary code passes unchanged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrubSecrets } from '../../../extension/commit/scrub.ts';

// Put together here, so that no scanner takes this file for a leak.
const secrets = {
  aws: `AKIA${'Q'.repeat(16)}`,
  github: `ghp_${'a1'.repeat(20)}`,
  pem: `-----BEGIN RSA PRIVATE ${'KEY'}-----\n+MIIEow\n-----END RSA PRIVATE ${'KEY'}-----`,
  jwt: `eyJhbGciOiJI.eyJzdWIiOiIx.${'s'.repeat(20)}`,
};

test('CAP-8: tokens, keys, passwords and credentials in URLs are cut out', () => {
  for (const [kind, secret] of Object.entries(secrets)) {
    const scrubbed = scrubSecrets(`+const key = ${secret};\n+next line`);
    assert.ok(!scrubbed.includes(secret), kind);
    assert.match(scrubbed, /next line/, kind);
  }
  assert.equal(scrubSecrets(`+dbPassword: 'hunter22'`), `+dbPassword: '<secret>'`);
  assert.equal(scrubSecrets('+https://ada:pw12@example.com/x'), '+https://<secret>@example.com/x');
});

test('CAP-8: code without secrets is untouched, and scrubbing twice changes nothing', () => {
  const code = '+function password(input: string) {\n+  return fetch("https://example.com/a:b@c");\n+}';
  assert.equal(scrubSecrets(code), code);
  const once = scrubSecrets(`+token = ${secrets.github}`);
  assert.equal(scrubSecrets(once), once);
});
