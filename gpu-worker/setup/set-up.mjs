/** One set-up from beginning to end on a terminal: the lock, the steps, Ctrl-C, and how an error is told. */
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { runSteps, terminalReporter, withLock } from './steps.mjs';

/**
 * Runs what is not done of `steps`.
 * @param {readonly import('./steps.mjs').Step[]} steps
 * @param {string} folder its lock keeps a second set-up out
 */
export async function setUp(steps, folder) {
  if (steps.every((step) => step.done())) return;
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const tell = (/** @type {number | null} */ owner) =>
      process.stdout.write(`  waiting for another set-up (process ${owner ?? 'starting'}) to finish\n`);
    await withLock(join(folder, 'setup.lock'), stop.signal, tell, () =>
      runSteps(steps, terminalReporter(process.stdout), stop.signal),
    );
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/**
 * Ends this process with what `main` resolves to; a SetupError is told in its own words, without a stack.
 * @param {() => Promise<number>} main
 */
export async function exitWith(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`\n\nSet-up stopped: ${error.message}\n\nWhat to do: ${error.remedy}\n`);
    process.exitCode = 1;
  }
}
