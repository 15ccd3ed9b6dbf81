/**
 * How far a swap is felt: steady streams through the gateway, first undisturbed, then with 20 swaps in a row
 * under them. The largest gap between two tokens of an answer during swaps, over the median gap without. After it,
 * how long going back takes: to versions that have to be loaded first, and to one that still is.
 */
import { weightVersion } from '../../agent-server/protocol/ids.ts';
import { median, never, report, startRig, streamChat } from './rig.ts';

const STREAMS = 3;
const SWAPS = 20;
const QUIET_MS = 15_000;
/** Swaps follow each other at this pace, so that each falls among tokens of its own. */
const BETWEEN_SWAPS_MS = 500;
const AIM = 5;
const BACK_AIM_MS = 1_000;
const fields = {
  messages: [{ role: 'user', content: 'Tell me a long story about a lighthouse.' }],
  max_tokens: 48,
};

interface Answer {
  version: string;
  atMs: number[];
}

const rig = await startRig();
await rig.train(weightVersion(0), weightVersion(1), 1);
for (let n = 2; n <= SWAPS + 1; n++) await rig.copyVersion(weightVersion(1), weightVersion(n));
await rig.serving.swap(weightVersion(1), async () => true, never);
await streamChat(rig.gateway, fields, never);

let streaming = true;
const answers: Answer[] = [];
const streams = Array.from({ length: STREAMS }, async () => {
  while (streaming) answers.push(await streamChat(rig.gateway, fields, never));
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const quietFromMs = performance.now();
await wait(QUIET_MS);
const swapsFromMs = performance.now();
const swapMs: number[] = [];
for (let n = 2; n <= SWAPS + 1; n++) {
  const startMs = performance.now();
  await rig.serving.swap(weightVersion(n), async () => true, never);
  swapMs.push(performance.now() - startMs);
  await wait(BETWEEN_SWAPS_MS);
}
const swapsToMs = performance.now();
streaming = false;
await Promise.all(streams);

/** Going back to a version: from the call until new requests get it. */
async function goBackMs(n: number): Promise<number> {
  const startMs = performance.now();
  await rig.serving.goTo(weightVersion(n), () => undefined, never);
  return performance.now() - startMs;
}
const unloadedMs: number[] = [];
const loadedMs: number[] = [];
for (let n = 1; n <= SWAPS; n += 2) {
  unloadedMs.push(await goBackMs(n));
  await goBackMs(n + 1);
  loadedMs.push(await goBackMs(n));
}
await rig.close();

/** Gaps between tokens of one answer that began within the interval. */
function gaps(fromMs: number, toMs: number): number[] {
  return answers.flatMap(({ atMs }) =>
    atMs.slice(1).flatMap((at, index) => {
      const before = atMs[index] ?? at;
      return before >= fromMs && before < toMs ? [at - before] : [];
    }),
  );
}
const quiet = gaps(quietFromMs, swapsFromMs);
const during = gaps(swapsFromMs, swapsToMs);
const ratio = Math.max(...during) / median(quiet);
await report(
  [
    {
      name: 'largest gap during swaps / median gap without',
      value: ratio,
      unit: 'x',
      aim: `under ${AIM}`,
      met: ratio < AIM,
    },
    {
      name: 'largest gap without swaps / median gap',
      value: Math.max(...quiet) / median(quiet),
      unit: 'x',
      aim: null,
      met: null,
    },
    { name: 'time of a swap, median', value: median(swapMs), unit: 'ms', aim: null, met: null },
    {
      name: 'going back to a version that has to be loaded, longest',
      value: Math.max(...unloadedMs),
      unit: 'ms',
      aim: `under ${BACK_AIM_MS}`,
      met: Math.max(...unloadedMs) < BACK_AIM_MS,
    },
    { name: 'the same, median', value: median(unloadedMs), unit: 'ms', aim: null, met: null },
    {
      name: 'going back to a loaded version, median',
      value: median(loadedMs),
      unit: 'ms',
      aim: null,
      met: null,
    },
  ],
  {
    streams: STREAMS,
    swaps: SWAPS,
    medianGapMs: median(quiet),
    medianGapDuringMs: median(during),
    largestGapDuringMs: Math.max(...during),
    // A request that failed or changed version would have thrown.
    answers: answers.length,
    versionsThatAnswered: new Set(answers.map(({ version }) => version)).size,
  },
);
