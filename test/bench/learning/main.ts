/**
 * `npm run bench:learning`: does Apprentice learn what a user wants, how fast, and at what price? Simulated users
 * meet every arm with the same seeds and requests, through the real agent-server, engine and trainer.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import type { Anchor } from '../../../agent-server/store/version-types.ts';
import { USERS } from '../../scenarios/users/index.ts';
import { ARMS, PLOTTED } from './arms.ts';
import { plotSvg } from './plot.ts';
import { MAX_INTERACTIONS, type RunResult, run } from './run.ts';
import { rowsOf, tableText } from './table.ts';

const FLAGS = `  --quick            one seed, two users, the main arms, 12 interactions
  --seeds N          seeds 0 to N-1 (3)
  --arms A,B         only these
  --users A,B        only these, by the beginning or the end of their names
  --interactions N   fewer than ${MAX_INTERACTIONS}
  --together N       runs at the same time, each with its share of the cores (2)
  --json FILE        everything that was measured
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
      together: { type: 'string', default: '2' },
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

/** The rest say the same, and cost more time than a quick look has. */
const QUICK_USERS = ['code only', 'friendly reviews'];

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help'))
    return void process.stdout.write(`npm run bench:learning -- FLAGS\n${FLAGS}\n`);
  const options = readOptions(argv);
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  const jobs = options.users.flatMap((user) =>
    Array.from({ length: options.seeds }, (_, seed) => seed).flatMap((seed) =>
      options.arms.filter((arm) => seed < arm.seeds).map((arm) => ({ user, seed, arm })),
    ),
  );
  const threads = Math.max(1, Math.floor(cpus().length / options.together));
  const anchors: Anchor[] = [];
  const results: RunResult[] = [];
  const startedAtMs = performance.now();
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      abort.signal.throwIfAborted();
      const { interactions } = options;
      const result = await run({ ...job, interactions, threads, anchors, onProgress: show }, abort.signal);
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
  await Promise.all(Array.from({ length: options.together }, work));
  await save(options, results);
  process.stdout.write(
    `\n${tableText(rowsOf(results))}\n${Math.round((performance.now() - startedAtMs) / 60_000)} minutes in all.\n`,
  );
}

async function save({ json, svg }: Options, results: readonly RunResult[]): Promise<void> {
  const rows = rowsOf(results);
  const files: [string | undefined, string][] = [
    [json, `${JSON.stringify({ at: new Date().toISOString(), rows, results }, null, 1)}\n`],
    [svg, plotSvg(rows, PLOTTED)],
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
