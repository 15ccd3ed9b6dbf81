/**
 * A gpu-worker without Python and without a model, in the place of gpu-worker/main.ts: the real port, link,
 * batch checks and publishing of versions, over the fake engine and the fake trainer. Same flags, same first line.
 * `APPRENTICE_FAKE_ANSWER` names a file whose text is every answer.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { engineRoutes } from '../../../gpu-worker/engine/routes.ts';
import { ModelTokenizer } from '../../../gpu-worker/engine/tokenizer.ts';
import { LinkServer } from '../../../gpu-worker/link/link-server.ts';
import { workerServer } from '../../../gpu-worker/server.ts';
import { TrainingRuns } from '../../../gpu-worker/trainer/runs.ts';
import { Weights } from '../../../gpu-worker/weights/weights.ts';
import { FakeTokenEngine } from '../engine.ts';
import { fakeTokenizerFiles } from '../tokenizer.ts';
import { FakeTrainBackend } from '../trainer.ts';

const { values } = parseArgs({ options: { home: { type: 'string' } }, strict: false });
const key = process.env['APPRENTICE_WORKER_KEY'] ?? '';
const log = (line: string) => process.stderr.write(`${line}\n`);

const weights = new Weights(String(values['home']), 'fake@0');
await weights.open();
const tokenizer = new ModelTokenizer(fakeTokenizerFiles(8192));
const scripted = process.env['APPRENTICE_FAKE_ANSWER'];
const engine = new FakeTokenEngine(
  tokenizer,
  scripted === undefined ? {} : { answer: () => readFileSync(scripted, 'utf8') },
);
const backend = new FakeTrainBackend();
const engineEpoch = randomUUID();
const link = new LinkServer({
  trainer: new TrainingRuns(weights, backend, log),
  view: {
    engine: () => engine.state(),
    trainer: () => backend.state(),
    engineEpoch: () => engineEpoch,
    versions: () => weights.versions(),
  },
  log,
});
const server = workerServer({ key, routes: engineRoutes({ engine, tokenizer, log }), weights, link, log });
process.stdin.on('end', () => process.exit(0)).resume();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
