/**
 * The real VS Code of the tests and of `npm run vscode`: code-server from npm (VS Code's own workbench and
 * extension host) with a Node of its own, shown in a Chromium that the machine has. Plain JavaScript: set-up
 * runs it before there is a Node for TypeScript.
 */
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupError } from '../../../gpu-worker/setup/errors.mjs';
import { nodePackage, packagesStep } from '../../../gpu-worker/setup/npm.mjs';
import { runProcess } from '../../../gpu-worker/setup/run-process.mjs';

/** @typedef {import('../../../gpu-worker/setup/steps.mjs').Step} Step */

const CODE_SERVER = 'code-server@4.139.1';
const VSCODE = 'node_modules/code-server/lib/vscode';

/**
 * @param {string} folder
 * @returns {Step}
 */
export function vscodeStep(folder) {
  const step = packagesStep({
    name: 'VS Code for the browser (code-server)',
    folder,
    packages: [nodePackage() ?? '', CODE_SERVER].filter((name) => name !== ''),
    after: [VSCODE, `${VSCODE}/extensions`],
    finish: () => restoreProposedApiGate(join(folder, VSCODE)),
  });
  // Elsewhere a desktop VS Code runs the same tests.
  return { ...step, done: () => process.platform !== 'linux' || step.done() };
}

const GATE =
  /function ([\w$]+)\((\w+),(\w+)\)\{return!0\}(?=function [\w$]+\(\w+,\w+\)\{if\(!\1\(\w+,\w+\)\)throw new Error\(`Extension ')/g;

/**
 * code-server lets every extension use proposed API. With the desktop's rule back, nothing can pass here with
 * an API that throws for a user.
 * @param {string} vscode
 */
function restoreProposedApiGate(vscode) {
  const files = [
    'out/vs/workbench/api/node/extensionHostProcess.js',
    'out/vs/workbench/api/worker/extensionHostWorkerMain.js',
    'out/vs/code/browser/workbench/workbench.js',
  ];
  for (const file of files.map((name) => join(vscode, name))) {
    const before = readFileSync(file, 'utf8');
    const after = before.replace(
      GATE,
      (_, check, extension, proposal) =>
        `function ${check}(${extension},${proposal}){return!!${extension}.enabledApiProposals&&${extension}.enabledApiProposals.includes(${proposal})}`,
    );
    if (after === before) {
      throw new SetupError(
        `${file} has no gate for proposed API where it was.`,
        `Adapt test/e2e/harness/install.mjs to ${CODE_SERVER}.`,
      );
    }
    writeFileSync(file, after);
  }
}

/** Path of a Chromium or Chrome; `CHROMIUM` in the environment names one. Null when there is none. */
export function findChromium() {
  const named = process.env['CHROMIUM'];
  if (named) return existsSync(named) ? named : null;
  const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder: the next one is looked at.
      }
    }
  }
  return null;
}

/** @returns {Step} */
export function chromiumStep() {
  return {
    name: 'Chromium',
    done: () => process.platform !== 'linux' || findChromium() !== null,
    async run(progress, signal) {
      if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
        throw new SetupError(
          'No Chromium or Chrome for the tests in a real VS Code.',
          'Debian: `sudo apt install chromium`. Elsewhere install Chrome, or set CHROMIUM=/path/to/it.',
        );
      }
      const env = { DEBIAN_FRONTEND: 'noninteractive' };
      for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
        const what = `apt-get ${args[0]}`;
        await runProcess('apt-get', args, { what, limitMs: 15 * 60_000, signal, env, onLine: progress });
      }
    },
  };
}
