/**
 * One engine and one trainer for all runs of the bench. A pass over the answers of a dozen runs takes hardly longer
 * than over one, and each trainer would take gigabytes. Each run keeps its own agent-server, gpu-worker and home; only
 * what its gpu-worker starts as Python is a pipe to these two, in which ids and adapter names bear the run's number.
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
import { MATH_THREADS } from '../../../gpu-worker/line-process.ts';
import { pythonFolder } from '../../../gpu-worker/python-process.ts';

export interface SharedPythonOptions {
  python: string;
  model: string;
  /** Math threads of each of the two. */
  threads: number;
  /** Requests decoded together, those of all runs. */
  maxRunning: number;
}

const START_LIMIT_MS = 120_000;

export class SharedPython {
  /** To be given to a gpu-worker as its Python. */
  readonly python: string;
  readonly #folder: string;
  readonly #processes: readonly SharedProcess[];

  private constructor(folder: string, python: string, processes: readonly SharedProcess[]) {
    this.#folder = folder;
    this.python = python;
    this.#processes = processes;
  }

  /** Resolves when both have loaded the model. */
  static async start(options: SharedPythonOptions): Promise<SharedPython> {
    const { python, model, threads, maxRunning } = options;
    const folder = await mkdtemp(join(tmpdir(), 'apprentice-shared-'));
    const shared = async (name: string, ...args: string[]): Promise<SharedProcess> => {
      const flags = ['-m', `apprentice_worker.${name}`, '--model', model, '--threads', String(threads)];
      return SharedProcess.start(python, [...flags, ...args], join(folder, name));
    };
    const processes = await Promise.all([
      shared('engine', '--max-running', String(maxRunning)),
      shared('trainer'),
    ]);
    const shim = join(folder, 'python');
    await writeFile(shim, shimText(folder, python));
    await chmod(shim, 0o755);
    return new SharedPython(folder, shim, processes);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** `python -m apprentice_worker.NAME ...` is a pipe to the socket of that name; anything else is Python's. */
function shimText(folder: string, python: string): string {
  const bridge =
    "const s=require('node:net').connect(process.argv[1]);process.stdin.pipe(s).pipe(process.stdout);s.on('close',()=>process.exit())";
  return `#!/bin/sh
case "$2" in apprentice_worker.*) exec '${process.execPath}' -e "${bridge}" '${folder}'/"\${2#apprentice_worker.}";; esac
exec '${python}' "$@"
`;
}

/** What of the lines has to be told apart; the rest passes as it is. */
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

/** One Python process and the socket by which the runs reach it. */
class SharedProcess {
  readonly #child: ChildProcess;
  readonly #server: Server;
  readonly #clients = new Map<string, Socket>();
  #count = 0;

  private constructor(child: ChildProcess, server: Server) {
    this.#child = child;
    this.#server = server;
  }

  static async start(python: string, args: readonly string[], socket: string): Promise<SharedProcess> {
    const child = spawn(python, args, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONPATH: pythonFolder(), HF_HUB_OFFLINE: '1', ...MATH_THREADS },
    });
    const server = createServer();
    const shared = new SharedProcess(child, server);
    const lines = createInterface({ input: child.stdout });
    const [ready] = await once(lines, 'line', { signal: AbortSignal.timeout(START_LIMIT_MS) });
    lines.on('line', (line) => shared.#toClient(Line.parse(JSON.parse(line))));
    server.on('connection', (client) => shared.#accept(client, String(ready)));
    server.listen(socket);
    await once(server, 'listening');
    return shared;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const client of this.#clients.values()) client.destroy();
    const gone = once(this.#child, 'close');
    this.#child.stdin?.end();
    await gone;
  }

  #accept(client: Socket, ready: string): void {
    const run = String(this.#count++);
    this.#clients.set(run, client);
    const own = (name: string): string => `${run}/${name}`;
    /** What is to be taken back when the run ends, by name. */
    const open = new Map<string, Line>();
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#clients.delete(run);
      for (const line of open.values()) this.#send(line);
    });
    createInterface({ input: client }).on('line', (text) => {
      const line = Line.parse(JSON.parse(text));
      if (REFUSED.has(line.type)) throw new Error(`A run of the bench may not ask for ${line.type}.`);
      for (const key of ['rid', 'id', 'name', 'adapter'] as const)
        if (typeof line[key] === 'string') line[key] = own(line[key]);
      const { type, rid, id, name } = line;
      if (type === 'submit' && rid) open.set(rid, { type: 'abort', rid });
      if (type === 'train' && id) open.set(id, { type: 'cancel', id });
      if (type === 'load_adapter' && name) open.set(name, { type: 'unload_adapter', id: own('end'), name });
      if (type === 'unload_adapter' && name) open.delete(name);
      this.#send(line);
    });
    client.write(`${ready}\n`);
  }

  #send(line: Line): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #toClient(line: Line): void {
    const key = line.rid === undefined ? 'id' : 'rid';
    const name = line[key] ?? '';
    const slash = name.indexOf('/');
    const client = this.#clients.get(name.slice(0, slash));
    client?.write(`${JSON.stringify({ ...line, [key]: name.slice(slash + 1) })}\n`);
  }
}
