/** A program beside which an engine or a trainer of ours is measured: a child that answers one JSON line with another. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { MATH_THREADS } from '../../gpu-worker/line-process.ts';

const ANSWER_LIMIT_MS = 15 * 60_000;

const Answer = z.looseObject({
  seconds: z.number(),
  /** Why there is nothing to measure. */
  refused: z.string().optional(),
});
export type Answer = z.infer<typeof Answer>;

export interface Peer {
  /** What a request took, by the child's own clock. Throws when the child ends or says nothing for 15 minutes. */
  ask(request: { op: string } & Record<string, unknown>): Promise<Answer>;
  pid: number;
  stop(): void;
}

/** Starts `command` and waits for the first line that it prints: it is ready. */
export async function startPeer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    // The same thread policy as our processes', so that what is compared is the code.
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      ...MATH_THREADS,
      ...env,
    },
  });
  const name = args.join(' ');
  // A child that is gone tells so by the end of its output.
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<unknown> => {
    const limit = setTimeout(() => child.kill('SIGKILL'), ANSWER_LIMIT_MS);
    const line = await lines.next();
    clearTimeout(limit);
    if (line.done) throw new Error(`${name} ended without an answer.`);
    return JSON.parse(line.value);
  };
  await read();
  return {
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return Answer.parse(await read());
    },
    pid: child.pid ?? 0,
    stop: () => child.stdin.end(),
  };
}
