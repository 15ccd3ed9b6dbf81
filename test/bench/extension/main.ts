/**
 * `npm run bench:extension`: what Apprentice costs in VS Code, measured in a real one, with the packaged extension, beside
 * an extension that registers nothing: activation, keystrokes, sizes. `--starts 7 --keystrokes 3000 --json FILE`
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingVSCode } from '../../e2e/harness/launch.ts';
import { type Activations, measureActivations, type Start } from './activations.ts';
import { measureKeystrokes } from './keystrokes.ts';
import { measureSizes } from './sizes.ts';
import type { Activation } from './startup-table.ts';

const KB = 1024;
const MB = 1024 * KB;

const text = (value: string) => ({ type: 'string', default: value }) as const;
const { values } = parseArgs({
  options: { starts: text('7'), keystrokes: text('3000'), json: { type: 'string' } },
});
const [starts, keystrokes] = [Number(values.starts), Number(values.keystrokes)];
const say = (line: string) => process.stderr.write(`${line}\n`);

const missing = await missingVSCode();
if (missing !== false) throw new Error(missing);
const loadBefore = loadavg()[0] ?? Number.NaN;
say(`Load of the machine before: ${loadBefore.toFixed(2)} on ${cpus().length} cores.`);
say(`${starts} starts with the question open, ${starts} with learning on ...`);
const activations = await measureActivations(starts);
say(`${keystrokes} keystrokes ...`);
const typed = await measureKeystrokes(keystrokes);
const sizes = measureSizes();

const rows = [
  ...activationRows('question open', activations.unanswered),
  ...activationRows('learning on', activations.answered),
  row("loading the window's parts, at the first use", typed.firstUseMs - typed.nextUseMs, 'ms'),
  ...spread('keystroke, Apprentice', typed.apprenticeMs, { aim: 'under 0.2', keeps: (ms) => ms < 0.2 }),
  ...spread('keystroke, an empty handler', typed.emptyMs),
  row('extension.cjs', (sizes.bundleBytes['extension.cjs'] ?? Number.NaN) / KB, 'KB', {
    aim: 'under 500',
    keeps: (kb) => kb < 500,
  }),
  row('main.cjs', (sizes.bundleBytes['main.cjs'] ?? Number.NaN) / KB, 'KB', {
    aim: 'under 500',
    keeps: (kb) => kb < 500,
  }),
  row('apprentice.vsix', sizes.vsixBytes / MB, 'MB', { aim: 'under 6', keeps: (mb) => mb < 6 }),
];
const width = Math.max(...rows.map(({ name }) => name.length));
for (const { name, value, unit, aim, met } of rows) {
  const mark = met === null ? '' : met ? 'met' : 'MISSED';
  const said = `${name.padEnd(width)}  ${`${value.toPrecision(3)} ${unit}`.padEnd(12)}  ${(aim ?? '').padEnd(10)}  ${mark}`;
  process.stdout.write(`${said.trimEnd()}\n`);
}
const at = new Date().toISOString();
const results = join(import.meta.dirname, '..', 'results', `extension-${at.slice(0, 10)}.json`);
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  loadBefore,
};
const details: Activations & { keystrokes: number } = { ...activations, keystrokes };
const file = values.json ?? results;
writeFileSync(file, `${JSON.stringify({ at, machine, rows, sizes, details }, null, 2)}\n`);
process.stdout.write(`\nSaved in ${file}\n`);

/** Of one start VS Code tells whole milliseconds, waiting included; both extensions wait side by side. */
function activationRows(name: string, all: readonly Start[]) {
  const own = all.map(({ apprentice, empty }) => total(apprentice) - total(empty));
  const median = (pick: (start: Start) => number) => percentile(all.map(pick), 0.5);
  return [
    row(
      `activation, ${name}: Apprentice, median`,
      median(({ apprentice }) => total(apprentice)),
      'ms',
    ),
    row(
      '  of it loading its code',
      median(({ apprentice }) => apprentice.loadCodeMs),
      'ms',
    ),
    row(
      '  of it activate()',
      median(({ apprentice }) => apprentice.callMs),
      'ms',
    ),
    row(
      `activation, ${name}: an empty extension, median`,
      median(({ empty }) => total(empty)),
      'ms',
    ),
    row(`activation, ${name}: more than an empty one, median`, percentile(own, 0.5), 'ms', {
      aim: 'under 60',
      keeps: (ms) => ms < 60,
    }),
    row('  least', Math.min(...own), 'ms'),
    row('  most', Math.max(...own), 'ms'),
  ];
}

function total({ loadCodeMs, callMs, finishMs }: Activation): number {
  return loadCodeMs + callMs + finishMs;
}

interface Aim {
  aim: string;
  keeps: (value: number) => boolean;
}

/** The aim is one for the 99th percentile. */
function spread(name: string, all: readonly number[], aim?: Aim) {
  return [
    row(`${name}, median`, percentile(all, 0.5), 'ms'),
    row(`${name}, 99th percentile`, percentile(all, 0.99), 'ms', aim),
  ];
}

function row(name: string, value: number, unit: string, wanted?: Aim) {
  return { name, value, unit, aim: wanted?.aim ?? null, met: wanted ? wanted.keeps(value) : null };
}

function percentile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
