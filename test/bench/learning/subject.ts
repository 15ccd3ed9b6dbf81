/** One agent-server with the real worker and model, in a home of its own, as a user of the learning bench meets it. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../../agent-server/config.ts';
import { HttpEngine } from '../../../agent-server/engine/http-engine.ts';
import { askGateway } from '../../../agent-server/environment/replay/gateway-client.ts';
import { createLog, type Log } from '../../../agent-server/log.ts';
import { WorkerProcess } from '../../../agent-server/loops/worker-process.ts';
import { connectEditorClient, type EditorClient } from '../../../agent-server/lsp/client.ts';
import { editorRequests } from '../../../agent-server/protocol/editor.ts';
import type { TurnHeader } from '../../../agent-server/protocol/gateway.ts';
import { ObservationId, type TurnId, type WeightVersion } from '../../../agent-server/protocol/ids.ts';
import { type RunningServer, startAgentServer } from '../../../agent-server/server.ts';
import { MAX_SEARCHED_LESSONS } from '../../../agent-server/store/lessons.ts';
import type { Store } from '../../../agent-server/store/store.ts';

export interface SubjectOptions {
  config: Config;
  python: string;
  model: string;
  log: (line: string) => void;
}

export interface Answered {
  turnId: TurnId;
  text: string;
  version: WeightVersion;
}

/** A step takes seconds, and may wait for those of all other runs; a run that waits this long has failed. */
const LEARN_LIMIT_MS = 30 * 60_000;
const START_LIMIT_MS = 5 * 60_000;
const POLL_MS = 50;
/** Idle work may go on for as long as there are requests to try; then the next interaction comes, as in life. */
const IDLE_WORK_LIMIT_MS = 90_000;
/** Between two tasks of it the loop is idle for a moment. */
const IDLE_POLLS = 10;

export class Subject {
  readonly engine: HttpEngine;
  readonly #home: string;
  readonly #worker: WorkerProcess;
  readonly #server: RunningServer;
  readonly #client: EditorClient;

  private constructor(parts: {
    home: string;
    worker: WorkerProcess;
    server: RunningServer;
    client: EditorClient;
  }) {
    this.#home = parts.home;
    this.#worker = parts.worker;
    this.#server = parts.server;
    this.#client = parts.client;
    this.engine = new HttpEngine(parts.worker.endpoint);
  }

  get store(): Store {
    return this.#server.store;
  }

  /** Resolves when the model answers. */
  static async start(options: SubjectOptions, signal: AbortSignal): Promise<Subject> {
    const home = await mkdtemp(join(tmpdir(), 'apprentice-learning-'));
    const { python, model } = options;
    const log: Log = createLog('warn', options.log);
    const worker = new WorkerProcess({
      home,
      python,
      model,
      threads: null,
      maxRunning: options.config.worker.maxRunning,
      log: () => undefined,
    });
    const server = await startAgentServer({ home, config: options.config, env: process.env, log, worker });
    if (server.kind !== 'running') throw new Error(`Somebody else serves ${home}.`);
    const client = await connectEditorClient(server.discovery, 'bench', signal);
    await client.request(editorRequests.setLearning, { state: 'on' }, { signal });
    const subject = new Subject({ home, worker, server, client });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_LIMIT_MS)]);
    await subject.#until(limit, async () => {
      const panel = await client.request(editorRequests.panel, {}, { signal });
      return panel.worker?.engine.state === 'ready' && panel.worker.trainer.state === 'ready';
    });
    return subject;
  }

  /** Ids of the lessons that may stand in a prompt now. */
  activeLessons(): readonly number[] {
    return this.store.activeLessons(MAX_SEARCHED_LESSONS).map(({ lessonId }) => lessonId);
  }

  /** One request in a session of its own. `side` is never learnt from. */
  async ask(
    request: string,
    how: { kind: TurnHeader; maxTokens: number; temperature: number; seed: number },
    signal: AbortSignal,
  ): Promise<Answered> {
    const { port, token } = this.#server.discovery;
    return askGateway(
      { port, token },
      {
        session: randomUUID(),
        kind: how.kind,
        messages: [{ role: 'user', content: request }],
        subject: null,
        maxNewTokens: how.maxTokens,
        temperature: how.temperature,
        seed: how.seed,
      },
      signal,
    );
  }

  /** Tells how the user left an answer, as an editor would. */
  async leave(turnId: TurnId, text: string, signal: AbortSignal): Promise<void> {
    const observation = {
      kind: 'user_edit' as const,
      observationId: ObservationId.parse(randomUUID()),
      observedAt: new Date().toISOString(),
      turnId,
      moment: 'final' as const,
      text,
      survival: null,
    };
    await this.#client.request(editorRequests.observe, observation, { signal });
  }

  /** Until everything that was reported is judged and trained, and the version that came of it serves or failed. */
  async caughtUp(signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LEARN_LIMIT_MS)]);
    await this.#until(limit, () => {
      const { observations, judge, samplesReady, samplesInBatch } = this.store.queueLengths(Date.now());
      return observations + judge + samplesReady + samplesInBatch === 0 && !this.#undecided();
    });
  }

  /** Until the train loop's idle work has made one more version, has nothing left to try, or has had its time. */
  async idleWork(signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + IDLE_WORK_LIMIT_MS;
    const [before] = this.store.latestDistillations(1);
    let idle = 0;
    await this.#until(signal, async () => {
      const { loops } = await this.#client.request(editorRequests.panel, {}, { signal });
      idle = loops.some(({ name, state }) => name === 'train' && state === 'idle') ? idle + 1 : 0;
      const made = this.store.latestDistillations(1)[0] !== before && !this.#undecided();
      return made || idle === IDLE_POLLS || performance.now() > untilMs;
    });
  }

  #undecided(): boolean {
    return this.store.versions().some(({ state }) => state === 'trained' || state === 'training');
  }

  async stop(): Promise<void> {
    await this.#client.close();
    await this.#server.stop();
    await this.#worker.stop();
    await rm(this.#home, { recursive: true, force: true });
  }

  async #until(signal: AbortSignal, holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
