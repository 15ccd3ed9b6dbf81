/**
 * Runs set-up steps in order: a step that is done is skipped, a step that is interrupted is not marked and so
 * runs again. What a step does is its own business; who is shown the progress is the reporter's.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from './errors.mjs';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => boolean} done answers in milliseconds
 * @property {(progress: (text: string) => void, signal: AbortSignal) => Promise<void>} run
 */

/**
 * @typedef {object} Reporter
 * @property {(name: string) => void} skipped
 * @property {(name: string) => void} begun
 * @property {(name: string, text: string) => void} progress
 * @property {(name: string, elapsedMs: number) => void} finished
 */

/**
 * @param {readonly Step[]} steps
 * @param {Reporter} reporter
 * @param {AbortSignal} signal
 */
export async function runSteps(steps, reporter, signal) {
  for (const step of steps) {
    if (step.done()) {
      reporter.skipped(step.name);
      continue;
    }
    const startedMs = performance.now();
    reporter.begun(step.name);
    await step.run((text) => reporter.progress(step.name, text), signal);
    reporter.finished(step.name, performance.now() - startedMs);
  }
}

/**
 * sha256 over all parts, each delimited by its length so that no two lists collide.
 * @param {readonly string[]} parts
 */
export function fingerprint(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest('hex');
}

/**
 * A stamp says that the folder it lies in was completed from inputs with this fingerprint.
 * @param {string} file
 * @param {string} value
 */
export function stampIs(file, value) {
  try {
    return readFileSync(file, 'utf8') === value;
  } catch {
    // Unreadable is the same as absent: the step runs again and writes it anew.
    return false;
  }
}

/**
 * @param {string} file
 * @param {string} value
 */
export function writeStamp(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, value);
  renameSync(temporary, file);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Process id in a lock file; null when it is empty or just gone.
 * @param {string} file
 */
function ownerOf(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

const LOCK_LIMIT_MS = 45 * 60_000;

/**
 * Runs `work` while no other set-up of the same folder does: two windows, or a terminal and a window, would
 * install into one another. A lock whose owner is gone is taken over.
 * @template T
 * @param {string} file
 * @param {AbortSignal} signal
 * @param {(ownerPid: number | null) => void} onWait
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, signal, onWait, work) {
  mkdirSync(dirname(file), { recursive: true });
  const deadlineMs = performance.now() + LOCK_LIMIT_MS;
  let told = false;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const owner = ownerOf(file);
    // Empty for the instant between its creation and its writing: that owner lives.
    if (owner !== null && !isAlive(owner)) {
      rmSync(file, { force: true });
      continue;
    }
    if (performance.now() > deadlineMs) {
      throw new SetupError(
        `Another set-up (process ${owner ?? 'unknown'}) has held ${file} for too long.`,
        'End that process, delete the file, then try again.',
      );
    }
    if (!told) onWait(owner);
    told = true;
    await delay(500, undefined, { signal });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Draws steps on a terminal (one line a step, redrawn) or in a log (a line at most every ten seconds).
 * @param {NodeJS.WriteStream} stream
 * @returns {Reporter}
 */
export function terminalReporter(stream) {
  const interactive = stream.isTTY === true;
  let saidAtMs = 0;
  /** @param {string} text */
  const redraw = (text) =>
    stream.write(`\r\x1b[2K${text.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
  return {
    skipped: (name) => stream.write(`  = ${name}: already done\n`),
    begun(name) {
      saidAtMs = performance.now();
      if (interactive) redraw(`  > ${name} ...`);
      else stream.write(`  > ${name} ...\n`);
    },
    progress(name, text) {
      if (interactive) redraw(`  > ${name}: ${text}`);
      else if (performance.now() - saidAtMs > 10_000) {
        saidAtMs = performance.now();
        stream.write(`    ${text.slice(0, 160)}\n`);
      }
    },
    finished(name, elapsedMs) {
      if (interactive) redraw('');
      stream.write(`  + ${name}: ${(elapsedMs / 1000).toFixed(1)} s\n`);
    },
  };
}
