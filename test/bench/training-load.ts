/**
 * Serving speed while the trainer works, over serving alone: tokens a second of steady streams through the
 * gateway, in turns without and with a batch being trained.
 */
import { weightVersion } from '../../agent-server/protocol/ids.ts';
import { never, report, startRig, streamChat } from './rig.ts';

const STREAMS = 2;
const ROUNDS = 3;
/** Rows of a batch; training it takes about as long as one quiet round. */
const ROWS = 12;
const AIM = 0.7;
const fields = {
  messages: [{ role: 'user', content: 'Tell me a long story about a lighthouse.' }],
  max_tokens: 256,
};

const rig = await startRig();
// The trainer loads the model with its first batch; that is not what is measured.
await rig.train(weightVersion(0), weightVersion(1), 1);
await streamChat(rig.gateway, fields, never);

const tokensAtMs: number[] = [];
let streaming = true;
const streams = Array.from({ length: STREAMS }, async () => {
  while (streaming) tokensAtMs.push(...(await streamChat(rig.gateway, fields, never)).atMs);
});

const rounds: { quiet: [number, number]; training: [number, number] }[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const beginMs = performance.now();
  await rig.train(weightVersion(1), weightVersion(2 + round), ROWS);
  const trainedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, Math.max(5_000, trainedMs - beginMs)));
  rounds.push({ training: [beginMs, trainedMs], quiet: [trainedMs, performance.now()] });
}
streaming = false;
await Promise.all(streams);
await rig.close();

function tokensPerSecond(spans: readonly [number, number][]): number {
  const tokens = tokensAtMs.filter((at) => spans.some(([from, to]) => at >= from && at < to)).length;
  return (tokens * 1000) / spans.reduce((sum, [from, to]) => sum + to - from, 0);
}
const quiet = tokensPerSecond(rounds.map((round) => round.quiet));
const training = tokensPerSecond(rounds.map((round) => round.training));
await report(
  [
    {
      name: 'serving while training / serving alone',
      value: training / quiet,
      unit: 'x',
      aim: `over ${AIM}`,
      met: training / quiet > AIM,
    },
    { name: 'serving alone', value: quiet, unit: 'tokens/s', aim: null, met: null },
    { name: 'serving while training', value: training, unit: 'tokens/s', aim: null, met: null },
  ],
  {
    streams: STREAMS,
    rounds: ROUNDS,
    rowsPerBatch: ROWS,
    trainingSeconds: rounds.map(({ training: [from, to] }) => (to - from) / 1000),
  },
);
