/**
 * The folders of runs: each run has a fresh home, so that "before" is the base model and nothing else. The last
 * few are kept to look into; older ones, with their adapters, are removed.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The new one included. */
const KEPT_RUNS = 3;
const RUN_NAME = /^\d{8}-\d{6}(-\d+)?$/;

/** Makes `<parent>/<date>-<time>` and removes all but the newest few. `nowMs` names it. */
export async function newRunFolder(parent: string, nowMs: number): Promise<string> {
  const name = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const runs = (await readdir(parent)).filter((entry) => RUN_NAME.test(entry)).sort();
  for (const old of runs.slice(0, Math.max(0, runs.length - KEPT_RUNS + 1))) {
    await rm(join(parent, old), { recursive: true, force: true });
  }
  for (let again = 0; ; again += 1) {
    const folder = join(parent, again === 0 ? name : `${name}-${again}`);
    try {
      await mkdir(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      // Two runs began in the same second.
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST') || again === 9) throw error;
    }
  }
}
