/**
 * `npm run bench:learning`: does Apprentice learn what a user wants, how fast, and at what price? Simulated users
 * meet every arm with the same seeds and requests, through the real agent-server, engine and trainer.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import type { Anchor } from '../../../agent-server/store/version-types.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { USERS } from '../../scenarios/users/index.ts';
import { ARMS, PLOTTED } from './arms.ts';
import { plotSvg } from './plot.ts';
import { MAX_INTERACTIONS, type RunOptions, type RunResult, run } from './run.ts';
import { SharedPython } from './shared-python.ts';
import { rowsOf, tableText } from './table.ts';

const FLAGS = `  --quick            one seed, two users, the main arms, 12 interactions
  --seeds N          seeds 0 to N-1 (3)
  --arms A,B         only these
  --users A,B        only these, by the beginning or the end of their names
  --interactions N   fewer than ${MAX_INTERACTIONS}
  --together N       runs at the same time, over one engine and one trainer (12)
  --json FILE        everything that was measured; runs that it holds already are not made again
  --svg FILE         the curves`;

interface Options {
  seeds: number;
  arms: typeof ARMS;
  users: typeof USERS;
  interactions: number;
  together: number;
  json: string | undefined;
  svg: string | undefined;
}

function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      seeds: { type: 'string' },
      arms: { type: 'string' },
      users: { type: 'string' },
      interactions: { type: 'string' },
      together: { type: 'string', default: '12' },
      json: { type: 'string' },
      svg: { type: 'string' },
    },
  });
  const named = (list: string | undefined): string[] | undefined =>
    list?.split(',').map((name) => name.trim());
  const arms = named(values.arms);
  const users = named(values.users);
  const chosen = {
    arms: ARMS.filter(({ name, quick }) => arms?.includes(name) ?? (!values.quick || quick)),
    users: USERS.filter(
      ({ name }) =>
        users?.some((one) => name.startsWith(one) || name.endsWith(one)) ??
        (!values.quick || QUICK_USERS.some((one) => name.endsWith(one))),
    ),
  };
  if (chosen.arms.length === 0 || chosen.users.length === 0)
    throw new Error(
      `No such arm or user. Arms: ${ARMS.map(({ name }) => name).join(', ')}. Users: ${USERS.map(({ name }) => name).join(', ')}.`,
    );
  return {
    ...chosen,
    seeds: Number(values.seeds ?? (values.quick ? 1 : 3)),
    interactions: Number(values.interactions ?? (values.quick ? 12 : MAX_INTERACTIONS)),
    together: Number(values.together),
    json: values.json,
    svg: values.svg,
  };
}

/** The engine takes as many of a run's at once, on average: held-out requests are asked six together. */
const REQUESTS_PER_RUN = 2;

/** The rest say the same, and cost more time than a quick look has. */
const QUICK_USERS = ['code only', 'friendly reviews'];

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help'))
    return void process.stdout.write(`npm run bench:learning -- FLAGS\n${FLAGS}\n`);
  const options = readOptions(argv);
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  const results = await earlierResults(options);
  const has = new Set(results.map(keyOf));
  // Seed by seed: stopped early, it has something to say of every arm and user.
  const jobs = Array.from({ length: options.seeds }, (_, seed) => seed).flatMap((seed) =>
    options.arms
      .filter((arm) => seed < arm.seeds)
      .flatMap((arm) => options.users.map((user) => ({ user, seed, arm })))
      .filter(({ user, arm }) => !has.has(keyOf({ user: user.name, seed, arm: arm.name }))),
  );
  const threads = Math.max(1, Math.floor(cpus().length / 2));
  const anchors: Anchor[] = [];
  const { python, model } = runtime();
  const maxRunning = options.together * REQUESTS_PER_RUN;
  const shared = await SharedPython.start({ python, model, threads, maxRunning });
  const startedAtMs = performance.now();
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      abort.signal.throwIfAborted();
      const result = await tried(
        { ...job, ...options, python: shared.python, model, anchors, onProgress: show },
        abort.signal,
      );
      if (result === undefined) continue;
      results.push(result);
      const share = result.checkpoints.map(({ heldOut }) => heldOut.toFixed(2)).join(' ');
      const drift = result.checkpoints.at(-1)?.drift.toFixed(3);
      done(
        `${result.arm} · ${result.user} · seed ${result.seed}: three in a row at ${result.untilThreeInARow ?? 'never'}, held out ${share}, drift ${drift}, ${result.seconds.toFixed(0)} s (${jobs.length} to go)`,
      );
      // Kept after every run: hours of work must not hang on the last one.
      await save(options, results);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.together }, work));
  } finally {
    await shared.stop();
  }
  await save(options, results);
  process.stdout.write(
    `\n${tableText(rowsOf(results))}\n${Math.round((performance.now() - startedAtMs) / 60_000)} minutes in all.\n`,
  );
}

/** One run that fails does not end the others, but the bench has failed with it. */
async function tried(options: RunOptions, signal: AbortSignal): Promise<RunResult | undefined> {
  try {
    return await run(options, signal);
  } catch (error) {
    signal.throwIfAborted();
    done(`FAILED: ${inspect(error)}`);
    process.exitCode = 1;
    return undefined;
  }
}

function keyOf({ user, arm, seed }: { user: string; arm: string; seed: number }): string {
  return JSON.stringify([user, arm, seed]);
}

/** What a bench of as many interactions, stopped before its end, has left in the file. */
async function earlierResults({ json, interactions }: Options): Promise<RunResult[]> {
  if (json === undefined) return [];
  try {
    const { results }: { results: RunResult[] } = JSON.parse(await readFile(json, 'utf8'));
    if (results.some(({ satisfied }) => satisfied.length !== interactions))
      throw new Error(`Its runs have not ${interactions} interactions.`);
    return results;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new Error(`${json} cannot be gone on with. Name another file.`, { cause: error });
  }
}

async function save({ json, svg }: Options, results: readonly RunResult[]): Promise<void> {
  const rows = rowsOf(results);
  const files: [string | undefined, string][] = [
    [json, `${JSON.stringify({ at: new Date().toISOString(), rows, results }, null, 1)}\n`],
    [svg, plotSvg(results, PLOTTED)],
  ];
  for (const [file, text] of files) {
    if (file === undefined) continue;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

function show(text: string): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 100) - 1)}`);
}

function done(text: string): void {
  process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${text}\n`);
}

await main(process.argv.slice(2));
