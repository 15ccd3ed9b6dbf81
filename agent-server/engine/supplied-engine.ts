/** The engine of a worker on whatever machine: a version is with it before it is asked to load it, by its name. */
import type { WeightVersion } from '../protocol/ids.ts';
import type { Engine } from './engine.ts';

/** `supply`: sees to it that the worker has a version (loops/worker-link.ts). */
export function suppliedEngine(
  engine: Engine,
  supply: (version: WeightVersion, signal: AbortSignal) => Promise<void>,
): Engine {
  return {
    generate: (request, signal) => engine.generate(request, signal),
    score: (request, signal) => engine.score(request, signal),
    loadAdapter: async (version, _folder, signal) => {
      await supply(version, signal);
      // The folder is one of this machine; the worker knows its own.
      await engine.loadAdapter(version, version, signal);
    },
    unloadAdapter: (version, signal) => engine.unloadAdapter(version, signal),
    tokenizerFiles: (signal) => engine.tokenizerFiles(signal),
    health: (signal) => engine.health(signal),
  };
}
