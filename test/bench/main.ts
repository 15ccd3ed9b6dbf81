/**
 * `npm run bench`: runs the benches one after the other, each in a process of its own, so that none warms or
 * slows another. Each prints one line of JSON last: `{rows: [{name, value, unit, aim}], ...}`. The results
 * stand in test/bench/results/<date>.json and as a table on the terminal. With APPRENTICE_DEVICE=cuda engine and
 * trainers compute on the GPU, and the file is <date>-gpu.json.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { repositoryRoot, runtime } from '../fixtures/runtime.ts';

const BENCHES = ['engine', 'trainer', 'gateway', 'swap', 'training-load'];
const BENCH_LIMIT_MS = 30 * 60_000;

const BenchResult = z.looseObject({
  rows: z.array(
    z.object({
      name: z.string(),
      value: z.number(),
      unit: z.string(),
      /** For a person: `over 0.7`. Null where nothing is aimed at. */
      aim: z.string().nullable(),
      /** Whether the value keeps the aim; null without one. */
      met: z.boolean().nullable(),
    }),
  ),
});
type BenchResult = z.infer<typeof BenchResult>;

/** Runs one bench, shows what it says on the way, and parses its last line. */
function runBench(name: string): Promise<BenchResult> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    cwd: repositoryRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: BENCH_LIMIT_MS,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code !== 0) reject(new Error(`The bench ${name} ended with ${signal ?? `exit code ${code}`}.`));
      else resolve(BenchResult.parse(JSON.parse(output.trimEnd().split('\n').at(-1) ?? '')));
    });
  });
}

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) throw new Error(`No bench ${unknown.join(', ')}; there are ${BENCHES.join(', ')}.`);

const onGpu = runtime().device.startsWith('cuda');
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryBytes: totalmem(),
  platform: platform(),
  node: process.version,
  ...(onGpu && {
    gpu: execFileSync('nvidia-smi', ['-L'], { encoding: 'utf8' })
      .replace(/ \(UUID.*/g, '')
      .trim(),
  }),
};
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const at = new Date().toISOString();
const file = join(folder, `${at.slice(0, 10)}${onGpu ? '-gpu' : ''}.json`);

/** What other benches found on the same day stays, and what one found when the next fails. */
function save(found: Record<string, BenchResult>): void {
  const earlier: { results?: object } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const kept = { at, machine, results: { ...earlier.results, ...found } };
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}

const results: Record<string, BenchResult> = {};
for (const name of positionals.length > 0 ? positionals : BENCHES) {
  if (!existsSync(join(import.meta.dirname, `${name}.ts`)))
    throw new Error(`test/bench/${name}.ts is missing.`);
  process.stderr.write(`${name} ...\n`);
  results[name] = await runBench(name);
  save(results);
}

const lines = Object.entries(results).flatMap(([bench, { rows }]) =>
  rows.map(({ name, value, unit, aim, met }) => {
    const mark = met === null ? '' : met ? 'met' : 'MISSED';
    return [bench, name, `${value.toPrecision(4)} ${unit}`, aim ?? '', mark];
  }),
);
const table = [['bench', 'what', 'value', 'aim', ''], ...lines];
const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
for (const line of table) {
  process.stdout.write(
    `${line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`,
  );
}
process.stdout.write(`\nSaved in ${file}\n`);
