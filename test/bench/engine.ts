/**
 * The embedded engine beside transformers and llama.cpp, in one run, turn about: `node test/bench/engine.ts
 * --json FILE`. Numbers of the engine include HTTP. Medians of ratios within a round, so that a busy moment spoils one
 * round only.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtime } from '../fixtures/runtime.ts';
import {
  type Contestant,
  MOST_STREAMS,
  startLlamaCpp,
  startOurs,
  startTransformers,
} from './engine-contest.ts';
import { median, type Row, report } from './rig.ts';

const onGpu = runtime().device !== 'cpu';
/** Requests at a time. */
const STREAMS = onGpu ? [1, 8, MOST_STREAMS] : [1, 4, 8];
const PROMPT_TOKENS = 32;
const NEW_TOKENS = 64;
const LONG_PROMPT_TOKENS = 384;
const MORE_TOKENS = 24;
const SCORED_TOKENS = 128;
const COPIED_TOKENS = 96;
const ROUNDS = onGpu ? 2 : 3;
const ADAPTER = 'policy@v1';

/** Ids that no two prompts share from the first on, so that nothing comes from the cache by chance. */
function prompt(seed: number, length: number): number[] {
  return Array.from({ length }, (_, index) => 1_000 + ((seed * 7_919 + index * 131) % 40_000));
}

/** A file that is being written a second time. */
function copy(round: number): string {
  const file = Array.from(
    { length: 6 },
    (_, index) => `export function price${round}${index}(item) {\n  return item.price * ${index + 2};\n}\n`,
  ).join('\n');
  return `// prices.js\n${file}\n// prices.js, once more\n${file.slice(0, 80)}`;
}

/** What one contestant did in one round, by the name of the measurement. */
type Measured = Record<string, number>;

async function measure(contestant: Contestant, seed: number): Promise<Measured> {
  const measured: Measured = {};
  for (const streams of STREAMS) {
    const prompts = Array.from({ length: streams }, (_, index) => prompt(seed + index, PROMPT_TOKENS));
    const seconds = await contestant.decode(prompts, NEW_TOKENS);
    measured[`decode ${streams}`] = (streams * NEW_TOKENS) / seconds;
  }
  if (contestant.turns) {
    const { first, second } = await contestant.turns(
      prompt(seed + 10, LONG_PROMPT_TOKENS),
      prompt(seed + 11, MORE_TOKENS),
    );
    measured['prefill'] = LONG_PROMPT_TOKENS / first;
    measured['second turn'] = second * 1_000;
  }
  if (contestant.score) {
    const seconds = await contestant.score(prompt(seed + 12, LONG_PROMPT_TOKENS), SCORED_TOKENS);
    measured['scoring'] = LONG_PROMPT_TOKENS / seconds;
  }
  return measured;
}

async function main(): Promise<void> {
  const { model } = runtime();
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'apprentice-bench-'));
  const ours = await startOurs(log, false);
  const guessing = await startOurs(log, true);
  const transformers = await startTransformers();
  const llama = onGpu
    ? { peers: [], contestants: [], why: 'it is compared on a processor' }
    : await startLlamaCpp();
  if (llama.contestants.length === 0) log(`without llama.cpp: ${llama.why}`);
  const contestants = [ours, ...transformers.contestants, ...llama.contestants];
  await transformers.peer.ask({ op: 'write_adapter', folder });

  const rounds: Record<string, Measured>[] = [];
  // The first round warms everybody up and is not counted.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const measured: Record<string, Measured> = {};
    for (const contestant of contestants)
      measured[contestant.name] = await measure(contestant, 100 * round + 1);
    const { bytesPerSecond } = await transformers.peer.ask({ op: 'bandwidth' });
    const loadSeconds = await ours.loadAdapter(ADAPTER, folder);
    const adapted = await ours.withAdapter(ADAPTER, [prompt(100 * round + 1, PROMPT_TOKENS)], NEW_TOKENS);
    await ours.unloadAdapter(ADAPTER);
    measured['a file'] = { ours: COPIED_TOKENS / (await ours.goOn(copy(round), COPIED_TOKENS)) };
    measured['a file']['with guesses'] = COPIED_TOKENS / (await guessing.goOn(copy(round), COPIED_TOKENS));
    measured['memory'] = { bandwidth: Number(bytesPerSecond) / 1e9 };
    measured['adapter'] = {
      load: loadSeconds * 1_000,
      'PEFT load': (await transformers.peer.ask({ op: 'adapter', folder })).seconds * 1_000,
      'decode 1': NEW_TOKENS / adapted,
    };
    if (round > 0) rounds.push(measured);
    log(`round ${round} of ${ROUNDS}: ${JSON.stringify(measured)}`);
  }
  transformers.peer.stop();
  for (const peer of llama.peers) peer.stop();
  await ours.stop();
  await guessing.stop();
  await rm(folder, { recursive: true, force: true });

  const weightBytes = (await stat(join(model, 'model.safetensors'))).size;
  await report(rows(rounds, contestants.slice(1), weightBytes), {
    promptTokens: PROMPT_TOKENS,
    newTokens: NEW_TOKENS,
    longPromptTokens: LONG_PROMPT_TOKENS,
    moreTokens: MORE_TOKENS,
    scoredTokens: SCORED_TOKENS,
    weightBytes,
    withoutLlamaCpp: llama.why,
    rounds,
  });
}

function rows(rounds: Record<string, Measured>[], others: readonly Contestant[], weightBytes: number): Row[] {
  const value = (round: Record<string, Measured>, who: string, what: string) =>
    round[who]?.[what] ?? Number.NaN;
  const of = (ratio: (round: Record<string, Measured>) => number) => median(rounds.map(ratio));
  const plain = (name: string, unit: string, who: string, what: string): Row => ({
    name,
    value: of((round) => value(round, who, what)),
    unit,
    aim: null,
    met: null,
  });
  const against = (name: string, what: string, other: string, least: number | null): Row => {
    const ratio = of((round) => value(round, 'ours', what) / value(round, other, what));
    return {
      name: `${name} / ${other}`,
      value: ratio,
      unit: 'x',
      aim: least === null ? null : `at least ${least}`,
      met: least === null ? null : ratio >= least,
    };
  };
  const least = (what: string, other: string): number | null => {
    if (what === 'decode 1' && other === 'transformers generate') return 1;
    if (what === 'decode 8' && onGpu && other === 'transformers generate') return 1;
    if (what === 'decode 4') return other === 'transformers generate' ? 2.5 : 1;
    return null;
  };
  const speeds = [...STREAMS.map((streams) => `decode ${streams}`), 'prefill', 'scoring'];
  const answers = (what: string) =>
    others.filter(({ name }) => !Number.isNaN(of((r) => value(r, name, what))));
  const bound = of(
    (r) => (value(r, 'ours', 'decode 1') * weightBytes) / 1e9 / value(r, 'memory', 'bandwidth'),
  );
  const turn = of(
    (r) => value(r, 'ours', 'second turn') / ((LONG_PROMPT_TOKENS * 1_000) / value(r, 'ours', 'prefill')),
  );
  return [
    ...speeds.flatMap((what) => [
      plain(what, 'tokens/s', 'ours', what),
      ...answers(what).map(({ name }) => against(what, what, name, least(what, name))),
    ]),
    {
      name: 'decode 1 / what reading the weights once a token allows',
      value: bound,
      unit: 'x',
      aim: onGpu ? null : 'at least 0.67',
      met: onGpu ? null : bound >= 0.67,
    },
    plain('memory read', 'GB/s', 'memory', 'bandwidth'),
    { name: 'first token, second turn / cold', value: turn, unit: 'x', aim: 'at most 0.2', met: turn <= 0.2 },
    plain('first token, second turn', 'ms', 'ours', 'second turn'),
    ...answers('second turn').map(({ name }) =>
      against('first token, second turn', 'second turn', name, null),
    ),
    plain('a file written again, tokens guessed', 'tokens/s', 'a file', 'with guesses'),
    {
      name: 'a file written again, tokens guessed / not',
      value: of((r) => value(r, 'a file', 'with guesses') / value(r, 'a file', 'ours')),
      unit: 'x',
      aim: null,
      met: null,
    },
    plain('adapter of rank 16, load', 'ms', 'adapter', 'load'),
    plain('the same with PEFT', 'ms', 'adapter', 'PEFT load'),
    plain('decode 1 with that adapter', 'tokens/s', 'adapter', 'decode 1'),
  ];
}

await main();
