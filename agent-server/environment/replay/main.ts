/**
 * `npm start` after set-up: replays a git history so that the policy learns to write its author's commit
 * messages, reports what came of it, and keeps serving. `--help` lists the flags.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ApprenticeError, toApprenticeError } from '../../protocol/errors.ts';
import type { Arm } from './arm.ts';
import { FLAGS, type ReplayOptions, readOptions, runtimeOf } from './options.ts';
import { oneLine } from './plain-text.ts';
import { reportHtml } from './report-html.ts';
import { reportText } from './report-text.ts';
import type { ReplayResult } from './result.ts';
import { planReplay, runReplay } from './run.ts';
import { newRunFolder } from './run-folder.ts';
import { LiveTable, type Screen } from './table.ts';
import { usageText } from './usage-text.ts';

const CLONE = join(import.meta.dirname, '..', '..', '..');

async function main(argv: readonly string[], signal: AbortSignal): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(`npm start -- FLAGS\n${FLAGS}\n`);
  const options = readOptions(argv, process.env['INIT_CWD'] ?? process.cwd());
  const { python, model } = runtimeOf(CLONE, process.env);
  for (const path of [python, model]) {
    if (!existsSync(path))
      throw new ApprenticeError('setup_failed', `${path} is missing.`, 'Run "npm run setup".');
  }
  const plan = await planReplay(options, CLONE, signal);
  const runFolder = await newRunFolder(join(CLONE, '.apprentice', 'runs'), Date.now());
  process.stdout.write(
    `Learning to write commit messages like the author of ${oneLine(plan.history.repositoryRoot, 120)}\n` +
      `${plan.training.length} commits to learn from, then ${plan.heldOut.length} held out. Everything stays in ${runFolder}\n\n`,
  );
  const table = new LiveTable(screen(), Date.now);
  const { result, arm } = await runReplay(
    { options, plan, runFolder, python, model, onProgress: table.see },
    signal,
  ).finally(() => table.end());
  try {
    const report = await writeReports(result, options, runFolder);
    process.stdout.write(reportText(result, screen().columns));
    if (options.exit) process.stdout.write(`Report: ${report}\n`);
    else await keepServing(arm, report, signal);
  } finally {
    await arm.stop();
  }
}

async function writeReports(
  result: ReplayResult,
  options: ReplayOptions,
  runFolder: string,
): Promise<string> {
  const json = `${JSON.stringify(result, null, 2)}\n`;
  const report = options.html ?? join(runFolder, 'report.html');
  const files: [string, string][] = [
    [join(runFolder, 'result.json'), json],
    [report, reportHtml(result, new Date())],
    ...(options.json === null ? [] : [[options.json, json] satisfies [string, string]]),
  ];
  for (const [file, text] of files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return report;
}

/** Resolves at Ctrl-C. */
async function keepServing(arm: Arm, report: string, signal: AbortSignal): Promise<void> {
  const { port, token } = await arm.server.discovery(signal);
  process.stdout.write(usageText({ port, token, report, vsix: await builtExtension() }));
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function builtExtension(): Promise<string | null> {
  for (const folder of [join(CLONE, 'dist'), CLONE]) {
    const files = existsSync(folder) ? await readdir(folder) : [];
    const vsix = files.find((file) => file.endsWith('.vsix'));
    if (vsix !== undefined) return join(folder, vsix);
  }
  return null;
}

function screen(): Screen {
  const { stdout } = process;
  return {
    write: (text) => void stdout.write(text),
    isTTY: stdout.isTTY === true,
    columns: stdout.columns ?? 120,
    rows: stdout.rows ?? 40,
  };
}

const ending = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (!ending.signal.aborted) process.stderr.write('\nEnding the engine and the agent-server ...\n');
    ending.abort();
  });
}
try {
  await main(process.argv.slice(2), ending.signal);
} catch (thrown) {
  if (ending.signal.aborted) {
    process.exitCode = 130;
  } else {
    const error = toApprenticeError(thrown);
    process.stderr.write(`\n${error.message}\n${error.remedy}\n`);
    process.exitCode = 1;
  }
}
