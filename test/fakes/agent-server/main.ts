/**
 * The agent-server as a process of its own, whole but for its gpu-worker, which is the fake. `--probe`: tells its
 * parent every second what it uses and how long the panel's queries take. `--worker FILE`: the fake
 * worker, where this one was bundled. Ends with its standard input.
 */
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { homeFolder, readConfig } from '../../../agent-server/config.ts';
import { boundHeap } from '../../../agent-server/heap.ts';
import { createLog, logFileWriter } from '../../../agent-server/log.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import { startAgentServer } from '../../../agent-server/server.ts';
import type { Store } from '../../../agent-server/store/store.ts';

const PROBE_MS = 1_000;

/** What a probe says; times in milliseconds. */
export interface Probe {
  atMs: number;
  rssBytes: number;
  /** Of it, what JavaScript holds, and buffers beside the heap. */
  heapBytes: number;
  externalBytes: number;
  /** Processor time of this process since it started. */
  cpuMs: number;
  longestStallMs: number;
  /** The queries of one panel snapshot. */
  panelMs: number;
  /** Of it, this process's own; the rest other processes took. */
  panelCpuMs: number;
  placed: number;
  judged: number;
}

function probe(store: Store): void {
  const stalls = monitorEventLoopDelay({ resolution: 5 });
  stalls.enable();
  setInterval(() => {
    const beganMs = performance.now();
    const began = process.cpuUsage();
    store.queueLengths(Date.now());
    const { environment, judge } = store.doneCounts();
    store.panelTurns(50);
    store.panelVersions(50);
    store.curve(500);
    const panelMs = performance.now() - beganMs;
    const used = process.cpuUsage(began);
    const { user, system } = process.cpuUsage();
    const { rss, heapTotal, external } = process.memoryUsage();
    const told: Probe = {
      atMs: performance.now(),
      rssBytes: rss,
      heapBytes: heapTotal,
      externalBytes: external,
      cpuMs: (user + system) / 1000,
      longestStallMs: stalls.max / 1e6,
      panelMs,
      panelCpuMs: (used.user + used.system) / 1000,
      placed: environment,
      judged: judge,
    };
    stalls.reset();
    process.send?.(told);
  }, PROBE_MS);
}

boundHeap();
const { values } = parseArgs({
  options: {
    probe: { type: 'boolean', default: false },
    worker: { type: 'string', default: join(import.meta.dirname, '..', 'gpu-worker', 'main.ts') },
  },
});
const home = homeFolder(process.env);
const log = createLog('info', logFileWriter(join(home, 'logs', 'agent-server.log')));
const worker = new WorkerProcess({
  home,
  model: 'fake',
  python: 'none',
  threads: null,
  maxRunning: 8,
  log: log.info,
  file: values.worker,
});
const started = await startAgentServer({ home, config: readConfig(home), env: process.env, log, worker });
if (started.kind === 'running') {
  if (values.probe) probe(started.store);
  process.stdin.once('end', () => void started.stop()).resume();
  await started.stopped;
}
process.exit(0);
