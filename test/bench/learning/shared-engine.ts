/**
 * One engine for all runs of the bench. A pass over the answers of six runs takes hardly longer than over one, so the
 * bench ends in a third of the time. Each run keeps its own agent-server, gpu-worker and trainer; only what its
 * gpu-worker starts as the engine is a pipe to this one, in which request ids and adapter names bear the run's number.
 * POSIX only: what stands in for Python is a shell script.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { pythonFolder } from '../../../gpu-worker/python-process.ts';

export interface SharedEngineOptions {
  python: string;
  model: string;
  /** Requests decoded together, those of all runs. */
  maxRunning: number;
}

/** What of the lines between worker and engine has to be told apart; the rest passes as it is. */
const Line = z.looseObject({
  type: z.string(),
  rid: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  adapter: z.string().nullish(),
});
type Line = z.infer<typeof Line>;

/** These would change the base under the other runs. */
const REFUSED = new Set(['pause', 'continue', 'update_weights']);

export class SharedEngine {
  /** To be given to a gpu-worker as its Python. */
  readonly python: string;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #server: Server;
  readonly #clients = new Map<number, Socket>();
  #count = 0;

  private constructor(parts: { folder: string; python: string; child: ChildProcess; server: Server }) {
    this.#folder = parts.folder;
    this.python = parts.python;
    this.#child = parts.child;
    this.#server = parts.server;
  }

  /** Resolves when the model is loaded. */
  static async start({ python, model, maxRunning }: SharedEngineOptions): Promise<SharedEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'apprentice-engine-'));
    const socket = join(folder, 'engine.sock');
    const shim = join(folder, 'python');
    const bridge = `const s=require('node:net').connect(process.argv[1]);process.stdin.pipe(s).pipe(process.stdout);s.on('close',()=>process.exit())`;
    await writeFile(
      shim,
      `#!/bin/sh\ncase "$*" in *apprentice_worker.engine*) exec '${process.execPath}' -e "${bridge}" '${socket}';; esac\nexec '${python}' "$@"\n`,
    );
    await chmod(shim, 0o755);
    const args = ['-m', 'apprentice_worker.engine', '--model', model, '--max-running', String(maxRunning)];
    const child = spawn(python, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONPATH: pythonFolder(), HF_HUB_OFFLINE: '1', OMP_WAIT_POLICY: 'PASSIVE' },
    });
    const server = createServer();
    const engine = new SharedEngine({ folder, python: shim, child, server });
    const lines = createInterface({ input: child.stdout });
    const [ready] = await once(lines, 'line', { signal: AbortSignal.timeout(120_000) });
    lines.on('line', (line) => engine.#toClient(Line.parse(JSON.parse(line))));
    server.on('connection', (client) => engine.#accept(client, String(ready)));
    server.listen(socket);
    await once(server, 'listening');
    return engine;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const client of this.#clients.values()) client.destroy();
    const gone = once(this.#child, 'close');
    this.#child.stdin?.end();
    await gone;
    await rm(this.#folder, { recursive: true, force: true });
  }

  #accept(client: Socket, ready: string): void {
    const run = this.#count++;
    this.#clients.set(run, client);
    const requests = new Set<string>();
    const adapters = new Set<string>();
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#clients.delete(run);
      for (const rid of requests) this.#send({ type: 'abort', rid });
      for (const name of adapters) this.#send({ type: 'unload_adapter', id: `${run}/gone`, name });
    });
    createInterface({ input: client }).on('line', (text) => {
      const line = Line.parse(JSON.parse(text));
      if (REFUSED.has(line.type))
        throw new Error(`A run of the bench may not ask the engine for ${line.type}.`);
      for (const key of ['rid', 'id', 'name', 'adapter'] as const)
        if (typeof line[key] === 'string') line[key] = `${run}/${line[key]}`;
      if (line.type === 'submit' && line.rid !== undefined) requests.add(line.rid);
      if (line.name !== undefined)
        if (line.type === 'load_adapter') adapters.add(line.name);
        else adapters.delete(line.name);
      this.#send(line);
    });
    client.write(`${ready}\n`);
  }

  #send(line: Line): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #toClient(line: Line): void {
    const key = line.rid === undefined ? 'id' : 'rid';
    const [run, own] = split(line[key] ?? '');
    this.#clients.get(Number(run))?.write(`${JSON.stringify({ ...line, [key]: own })}\n`);
  }
}

/** At the first slash. */
function split(name: string): [string, string] {
  const at = name.indexOf('/');
  return [name.slice(0, at), name.slice(at + 1)];
}
