/**
 * llama.cpp, installed for who chooses that engine: the prebuilt binary of node-llama-cpp for this platform, and nothing
 * of that package around it (30 packages more, CMake among them). What is called in it is engine/llama-cpp/addon.ts, so
 * the version is fixed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { packagesStep } from './npm.mjs';

/** @typedef {import('./steps.mjs').Step} Step */

const VERSION = '3.22.0';
/** Builds that compute on the processor; the one for Apple's can more, and is asked for no more. */
const BUILDS = new Map([
  ['linux-x64', 'linux-x64'],
  ['linux-arm64', 'linux-arm64'],
  ['darwin-x64', 'mac-x64'],
  ['darwin-arm64', 'mac-arm64-metal'],
  ['win32-x64', 'win-x64'],
  ['win32-arm64', 'win-arm64'],
]);

const platform = `${process.platform}-${process.arch}`;
const build = BUILDS.get(platform);

/**
 * The binary below the folder that `llamaCppStep` fills.
 * @param {string} folder
 */
export function llamaCppAddon(folder) {
  const name = build ?? platform;
  return join(folder, 'node_modules', '@node-llama-cpp', name, 'bins', name, 'llama-addon.node');
}

/**
 * Some 25 MB.
 * @param {string} folder
 * @returns {Step}
 */
export function llamaCppStep(folder) {
  const install = packagesStep({
    name: 'llama.cpp',
    folder,
    packages: [`@node-llama-cpp/${build}@${VERSION}`],
  });
  return {
    ...install,
    done: () => install.done() && existsSync(llamaCppAddon(folder)),
    async run(progress, signal) {
      if (build) return install.run(progress, signal);
      throw new SetupError(
        `llama.cpp has no build for ${platform}.`,
        'Choose another engine: embedded runs wherever Python does.',
      );
    },
  };
}
