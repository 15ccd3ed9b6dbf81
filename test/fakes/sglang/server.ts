/**
 * SGLang's server as far as the worker knows it, without a GPU: its command line (arguments.ts) and its HTTP
 * (dialect.ts) over the embedded engine, or, with STANDIN_ENGINE=fake, over the fake one, a token every
 * STANDIN_TOKEN_MS. Ends with standard input.
 */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { BASE_VERSION } from '../../../agent-server/protocol/ids.ts';
import { createEngine } from '../../../gpu-worker/engine/embedded-engine.ts';
import type { TokenEngine } from '../../../gpu-worker/engine/token-engine.ts';
import { loadTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { FakeTokenEngine } from '../engine.ts';
import { readArguments } from './arguments.ts';
import { sglangDialect } from './dialect.ts';

const flags = readArguments(process.argv.slice(2));
const model = flags.get('--model-path')?.[0] ?? '';
const log = (line: string) => process.stderr.write(`${line}\n`);
// As SGLang does, keys and all.
log(`server_args=${process.argv.slice(2).join(' ')}`);
const tokenizer = await loadTokenizer(model);

const tokenMs = Number(process.env['STANDIN_TOKEN_MS'] ?? '0');
const beforeToken = async () => {
  if (tokenMs > 0) await delay(tokenMs);
};

let engine: TokenEngine;
if (process.env['STANDIN_ENGINE'] === 'fake') engine = new FakeTokenEngine(tokenizer, { beforeToken });
else {
  const embedded = createEngine({ python: runtime().python, model, threads: null, maxRunning: 4, log });
  process.on('exit', () => void embedded.stop());
  await embedded.start(AbortSignal.timeout(240_000));
  engine = embedded;
}
process.stdin.on('end', () => process.exit(0)).resume();
const serving = { engine, tokenizer, baseVersion: () => BASE_VERSION };
createServer(getRequestListener(sglangDialect(serving, flags).fetch)).listen(
  Number(flags.get('--port')?.[0]),
  flags.get('--host')?.[0],
);
