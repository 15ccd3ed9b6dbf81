/**
 * A gpu-worker without Python and without a model, in the place of gpu-worker/main.ts: the real port, link,
 * batch checks and publishing of versions, over the fake engine and the fake trainer. Same flags, same first line.
 * `APPRENTICE_FAKE_ANSWER` names a file whose text is every answer. `APPRENTICE_FAKE_AGENT` names one that makes it a model
 * with tools and a longer context: what is answered after what was said last.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Hono } from 'hono';
import { z } from 'zod';
import { ModelTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { workerServer } from '../../../gpu-worker/server.ts';
import { TrainingQueue } from '../../../gpu-worker/trainer/training-queue.ts';
import { measure } from '../../../gpu-worker/users/measure.ts';
import { Users } from '../../../gpu-worker/users/users.ts';
import { HERMES_TEMPLATE } from '../../fixtures/chat-templates.ts';
import { FakeTokenEngine } from '../engine.ts';
import { fakeTokenizerFiles } from '../tokenizer.ts';
import { FakeTrainBackend } from '../trainer.ts';

const { values } = parseArgs({ options: { home: { type: 'string' } }, strict: false });
const key = process.env['APPRENTICE_WORKER_KEY'] ?? '';
const log = (line: string) => process.stderr.write(`${line}\n`);

const scripted = process.env['APPRENTICE_FAKE_ANSWER'];
const agent = process.env['APPRENTICE_FAKE_AGENT'];
// A token a byte: the descriptions of tools alone are thousands.
const files = agent === undefined ? fakeTokenizerFiles(8192) : fakeTokenizerFiles(131_072, HERMES_TEMPLATE);
const tokenizer = new ModelTokenizer(files);
const Answers = z.array(z.object({ after: z.string(), answer: z.string() }));

/** The answer to what was said last of all that there is an answer to; to anything else the scripted text. */
function answerTo(prompt: string, plain: string): string {
  if (agent === undefined) return plain;
  const known = Answers.parse(JSON.parse(readFileSync(agent, 'utf8')))
    .map(({ after, answer }) => ({ at: prompt.lastIndexOf(after), answer }))
    .filter(({ at }) => at >= 0);
  return known.toSorted((one, other) => other.at - one.at)[0]?.answer ?? plain;
}

const engine = new FakeTokenEngine(
  tokenizer,
  scripted === undefined ? {} : { answer: (prompt) => answerTo(prompt, readFileSync(scripted, 'utf8')) },
);
const backend = new FakeTrainBackend();
const users = new Users({
  home: String(values['home']),
  key,
  shared: {
    engine: Object.assign(engine, { epoch: randomUUID() }),
    backend,
    weights: 'adapter',
    pauses: null,
    queue: new TrainingQueue(),
    tokenizer,
    baseModel: 'fake@0',
    engineLog: log,
    ownRoutes: new Hono(),
    judge: null,
    measure,
  },
  log,
});
await users.open();
const server = workerServer({
  admit: (headers) => users.admit(headers),
  health: () => true,
  log,
  tls: null,
  hosts: [],
});
process.stdin.on('end', () => process.exit(0)).resume();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
