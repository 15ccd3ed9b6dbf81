/**
 * Keeps the process small beside an editor: V8 on a machine with much memory lets garbage grow to several times what
 * is alive, some 25 MB here, before it collects; and glibc gives threads heaps of their own, of which what was freed is
 * not given back (some 10 MB under load). What it costs in speed was not to be seen.
 */
import { setFlagsFromString } from 'node:v8';

/** The heap is collected once it has grown by half since the last time. */
const GROWTH_PERCENT = 50;

/** For who starts the agent-server: V8 reads the size of the space for new objects (MB) only then. */
export const HEAP_ARGUMENTS: readonly string[] = ['--max-semi-space-size=2'];

/** For who starts the agent-server: glibc counts its heaps only then. Others do not know this variable. */
export const HEAP_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2' };

/** To be called first in the process. What it starts itself, to do math on many threads, is not to be bound so. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  for (const [name, value] of Object.entries(HEAP_ENVIRONMENT))
    if (process.env[name] === value) delete process.env[name];
}
