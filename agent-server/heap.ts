/**
 * Keeps the process small beside an editor: V8 on a machine with much memory lets garbage grow to several times what
 * is alive, some 25 MB here, before it collects. What it costs in speed was not to be seen.
 */
import { setFlagsFromString } from 'node:v8';

/** The heap is collected once it has grown by half since the last time. */
const GROWTH_PERCENT = 50;

/** For who starts the agent-server: V8 reads the size of the space for new objects (MB) only then. */
export const HEAP_ARGUMENTS: readonly string[] = ['--max-semi-space-size=2'];

/** To be called first in the process. */
export function boundHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
