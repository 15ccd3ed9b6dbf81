/** Runs one command of the set-up: its lines go to a progress callback, its failure becomes a SetupError. */
import { spawn } from 'node:child_process';
import { explainFailure, SetupError } from './errors.mjs';

const TAIL_CHARS = 20_000;
const KILL_AFTER_MS = 5_000;

/**
 * @typedef {object} ProcessOptions
 * @property {string} what name for error messages
 * @property {number} limitMs the command is ended when it takes longer
 * @property {AbortSignal} signal
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to this process's environment
 * @property {(line: string) => void} [onLine]
 */

/**
 * Resolves to everything the command printed (at most the last 20,000 characters); rejects with a SetupError.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ProcessOptions} options
 * @returns {Promise<string>}
 */
export function runProcess(command, args, { what, limitMs, signal, cwd, env, onLine }) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(
        new SetupError(`${what} was cancelled.`, 'Run the same command again: it goes on where it stopped.'),
      );
      return;
    }
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    let rest = '';
    /** @type {string | null} */
    let ended = null;
    /** @param {string} reason */
    const end = (reason) => {
      ended ??= reason;
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
    };
    const limit = setTimeout(() => end(`not done after ${Math.round(limitMs / 60_000)} minutes`), limitMs);
    const onAbort = () => end('cancelled');
    signal.addEventListener('abort', onAbort, { once: true });
    /** @param {string} text */
    const take = (text) => {
      output = (output + text).slice(-TAIL_CHARS);
      // pip redraws its progress bar with carriage returns.
      const lines = (rest + text).split(/[\r\n]+/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') onLine?.(line.trim());
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const settle = () => {
      clearTimeout(limit);
      signal.removeEventListener('abort', onAbort);
    };
    child.once('error', (error) => {
      settle();
      reject(explainFailure(what, `${error.message}\n${output}`, 'it could not be started'));
    });
    child.once('close', (code, by) => {
      settle();
      if (code === 0 && ended === null) resolve(output);
      else reject(explainFailure(what, output, ended ?? (by ? `ended by ${by}` : `exit code ${code}`)));
    });
  });
}
