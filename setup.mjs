/**
 * The door to every command: `node setup.mjs <command> [arguments]` first makes what the command needs, each
 * step skipped when it is done, then hands over to a script on a Node that can run TypeScript. This file is
 * plain JavaScript for Node 20, because that is what a stranger may have. The steps themselves are in
 * gpu-worker/setup/ (the packaged extension needs some of them too) and test/e2e/harness/.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './gpu-worker/setup/errors.mjs';
import { llamaCppStep } from './gpu-worker/setup/llama-cpp.mjs';
import { modulesMatchLock, nodePath, nodeStep, npm } from './gpu-worker/setup/npm.mjs';
import { runProcess } from './gpu-worker/setup/run-process.mjs';
import { checkGit, runtimeOf } from './gpu-worker/setup/runtime.mjs';
import { exitWith, setUp } from './gpu-worker/setup/set-up.mjs';
import { fingerprint, stampIs, writeStamp } from './gpu-worker/setup/steps.mjs';
import { chromiumStep, vscodeStep } from './test/e2e/harness/install.mjs';

/** @typedef {import('./gpu-worker/setup/steps.mjs').Step} Step */

const root = dirname(fileURLToPath(import.meta.url));
const state = join(root, '.apprentice');
const nodeFolder = join(state, 'node');
const BUILD_LIMIT_MS = 5 * 60_000;

/** @type {Step} */
const modulesStep = {
  name: 'npm packages',
  done: () => modulesMatchLock(root),
  run: (progress, signal) => npm(['ci'], { cwd: root, progress, signal }),
};

const PACKAGE_FILES = [
  'package.json',
  'package.nls.json',
  'package.nls.de.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
];

/** Contents of everything that a bundle or the .vsix is made from. */
function sources() {
  const folders = ['extension', 'agent-server', 'gpu-worker', 'media', 'l10n'];
  const files = [...PACKAGE_FILES, 'package-lock.json', 'setup.mjs', 'esbuild.mjs', '.vscodeignore'];
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { encoding: 'utf8', recursive: true })) {
      if (!name.includes('__pycache__')) files.push(join(folder, name));
    }
  }
  return files
    .filter((file) => statSync(join(root, file), { throwIfNoEntry: false })?.isFile())
    .sort()
    .flatMap((file) => [file, readFileSync(join(root, file), 'latin1')]);
}

/**
 * @param {string} name
 * @param {string} product file it makes, in dist/
 * @param {() => readonly Script[]} scripts that make it, in order; called when it is to be made
 * @returns {Step}
 *
 * @typedef {{ cwd: string, args: readonly string[] }} Script
 */
function distStep(name, product, scripts) {
  const stamp = join(root, 'dist', `.${product}.stamp`);
  return {
    name,
    done: () => existsSync(join(root, 'dist', product)) && stampIs(stamp, fingerprint(sources())),
    async run(progress, signal) {
      const inputs = fingerprint(sources());
      for (const { cwd, args } of scripts()) {
        progress(args.join(' '));
        await runProcess(nodePath(nodeFolder), [...args], {
          what: name,
          cwd,
          signal,
          limitMs: BUILD_LIMIT_MS,
        });
      }
      writeStamp(stamp, inputs);
    },
  };
}

/** Bundles for the debugger, with source maps. */
const buildStep = distStep('Build', 'extension.cjs', () => [{ cwd: root, args: ['esbuild.mjs'] }]);

/** There is no repository URL to make README.md's relative links absolute with, and vsce refuses what it cannot rewrite. */
const VSCE_FLAGS = ['--allow-missing-repository', '--no-rewrite-relative-links', '--no-dependencies'];

/** This machine as vsce names it: what a .vsix holds may be made for it. A libc that is not GNU's is Alpine's. */
function vsceTarget() {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  const musl = process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  return `${musl ? 'alpine' : process.platform}-${process.arch === 'arm' ? 'armhf' : process.arch}`;
}

/** Minified bundles without source maps, in a .vsix for this platform. */
const packageStep = distStep('Extension package (dist/apprentice.vsix)', 'apprentice.vsix', () => {
  // vsce walks every file below its folder, and in the clone that would be the model, torch and a whole VS Code.
  const folder = join(state, 'package');
  rmSync(folder, { recursive: true, force: true });
  for (const name of [...PACKAGE_FILES, '.vscodeignore', 'media', 'l10n']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  const vsix = join(root, 'dist', 'apprentice.vsix');
  mkdirSync(dirname(vsix), { recursive: true });
  const vsce = join(root, 'node_modules', '@vscode', 'vsce', 'vsce');
  return [
    { cwd: root, args: ['esbuild.mjs', '--production', `--out=${join(folder, 'dist')}`] },
    {
      cwd: folder,
      args: [vsce, 'package', '--target', vsceTarget(), ...VSCE_FLAGS, '--out', vsix],
    },
  ];
});

const runtime = runtimeOf(state, join(root, 'gpu-worker', 'python'));
const llamaCpp = join(state, 'llama-cpp');
if (process.env['APPRENTICE_ENGINE'] === 'llama-cpp') runtime.steps.push(llamaCppStep(llamaCpp));
const scripts = [nodeStep(nodeFolder), modulesStep];
const vscode = vscodeStep(join(state, 'vscode'));

/**
 * Each command: what must be there first, and the script that then runs.
 * @type {Record<string, { steps: readonly Step[], script: readonly string[] }>}
 */
const commands = {
  start: {
    steps: [...scripts, packageStep, ...runtime.steps],
    script: ['agent-server/environment/replay/main.ts'],
  },
  test: {
    steps: [...scripts, packageStep, ...runtime.steps, ...runtime.devSteps, vscode, chromiumStep()],
    script: ['test/run.ts'],
  },
  setup: { steps: [...scripts, buildStep, ...runtime.steps], script: [] },
  build: { steps: [...scripts, buildStep], script: [] },
  bench: { steps: [...scripts, ...runtime.steps], script: ['test/bench/main.ts'] },
  'bench:learning': { steps: [...scripts, ...runtime.steps], script: ['test/bench/learning/main.ts'] },
  'bench:teacher': { steps: [...scripts, ...runtime.steps], script: ['test/bench/teacher-contest.ts'] },
  'bench:link': { steps: scripts, script: ['test/bench/link.ts'] },
  'bench:load': { steps: scripts, script: ['test/bench/load.ts'] },
  'bench:kill': { steps: [...scripts, ...runtime.steps], script: ['test/bench/kill.ts'] },
  'bench:extension': {
    steps: [...scripts, packageStep, ...runtime.steps, vscode, chromiumStep()],
    script: ['test/bench/extension/main.ts'],
  },
  golden: { steps: [...scripts, ...runtime.steps], script: ['test/golden.ts'] },
  vscode: {
    steps: [...scripts, packageStep, ...runtime.steps, vscode],
    script: ['test/e2e/harness/open.ts'],
  },
  package: { steps: [...scripts, packageStep], script: [] },
};

/**
 * Runs a script in place of this process: same terminal, its exit code, and the signals that end it.
 * @param {readonly string[]} args script and arguments
 * @returns {Promise<number>}
 */
function handOver(args) {
  const node = nodePath(nodeFolder);
  const [script = '', ...rest] = args;
  const child = spawn(node, [join(root, script), ...rest], {
    // npm changes to the package's folder; paths in arguments are meant from where the user stands.
    cwd: process.env['INIT_CWD'] ?? process.cwd(),
    stdio: 'inherit',
    env: {
      ...process.env,
      APPRENTICE_PYTHON: runtime.python,
      APPRENTICE_MODEL: runtime.model,
      APPRENTICE_LLAMA_CPP: process.env['APPRENTICE_LLAMA_CPP'] ?? llamaCpp,
      PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`,
    },
  });
  // Ctrl-C reaches the whole terminal group; this process stays to report how the script ended.
  process.on('SIGINT', () => {});
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** @param {readonly string[]} argv */
async function main([name = '', ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    throw new SetupError(`There is no command "${name}".`, `Known: ${Object.keys(commands).join(', ')}.`);
  }
  if (command.steps.some((step) => !step.done())) checkGit();
  await setUp(command.steps, state);
  return command.script.length === 0 ? 0 : handOver([...command.script, ...args]);
}

await exitWith(() => main(process.argv.slice(2)));
