/** Puts the agent-server together and takes it apart. Each part is a file of its own; this one only joins them. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { claimHome, openHomeStore } from './claim.ts';
import { type Config, modelFolder, remoteWorker } from './config.ts';
import { removeDiscovery, writeDiscovery } from './discovery.ts';
import { HttpEngine } from './engine/http-engine.ts';
import { SglangParsers } from './engine/sglang-parsers.ts';
import { suppliedEngine } from './engine/supplied-engine.ts';
import { dataExports } from './export/data-exports.ts';
import { FunctionCalls } from './gateway/function-calls.ts';
import { startGateway } from './gateway/gateway.ts';
import { PromptSource } from './gateway/prompt-source.ts';
import type { PlacedRequest, TurnRunner } from './gateway/turn-runner.ts';
import { keptAddress, listenAtKept } from './gateway-file.ts';
import { LessonBook } from './hindsight/lesson-book.ts';
import { EditorJudge } from './judge/editor-judge.ts';
import type { Lock } from './lock.ts';
import type { Log } from './log.ts';
import { batchFolders } from './loops/batch-folder.ts';
import { configuredWorker } from './loops/configured-worker.ts';
import { watchEngine } from './loops/engine-watch.ts';
import { startEnvironmentLoop } from './loops/environment-loop.ts';
import { startJudgeLoop } from './loops/judge-loop.ts';
import { lessonWork } from './loops/lesson-work.ts';
import { startTrainLoop } from './loops/train-loop.ts';
import type { Progress } from './loops/training-progress.ts';
import { votesFrom } from './loops/vote-loop.ts';
import { WorkerLink } from './loops/worker-link.ts';
import type { WorkerProcess } from './loops/worker-process.ts';
import { selectionEditor } from './lsp/edit-selection.ts';
import { createEditorService } from './lsp/editor-service.ts';
import { onLearningChange } from './lsp/learning-change.ts';
import { createPanelFeed } from './lsp/panel-feed.ts';
import { panelSnapshot, serveStatus, workerPlace } from './lsp/panel-snapshot.ts';
import { type LspServer, socketPlace, startLspServer } from './lsp/server.ts';
import { tokenTexts } from './lsp/turn-detail.ts';
import { commitMessageWriter } from './lsp/write-commit-message.ts';
import { openVersions } from './promotion/open-versions.ts';
import type { Discovery } from './protocol/discovery.ts';
import type { LearningState } from './protocol/editor.ts';
import { proposedEdits } from './sessions/proposed-edits.ts';
import type { Store } from './store/store.ts';
import { openTelemetry } from './telemetry/telemetry.ts';
import { VERSION } from './version.ts';

/** The gpu-worker as the server needs it; tests hand in one of their own. */
export type Worker = Pick<WorkerProcess, 'endpoint' | 'onChange' | 'start' | 'stop'>;

export interface AgentServerOptions {
  home: string;
  config: Config;
  env: NodeJS.ProcessEnv;
  log: Log;
  worker?: Worker;
}

export interface RunningServer {
  kind: 'running';
  discovery: Discovery;
  store: Store;
  /** Resolves when everything has ended; also after an editor's `apprentice/stop`. */
  readonly stopped: Promise<void>;
  /** Ends it in good order; calling again waits for the same end. */
  stop(): Promise<void>;
}

/** `elsewhere`: another process serves this home folder already. */
export type Started = RunningServer | { kind: 'elsewhere'; discovery: Discovery };

/** Turns in the making at once: what the engine decodes together, and as many waiting. */
const TURNS_PER_SLOT = 2;
/** Cancelled turns write their end into the store before it closes. */
const DRAIN_LIMIT_MS = 2_000;

type Undo = (() => Promise<void> | void)[];

/** Starts serving a home folder. Throws what a part throws at its start, with all that had begun undone. */
export async function startAgentServer(options: AgentServerOptions): Promise<Started> {
  const claim = await claimHome(options.home);
  if (claim.kind === 'taken') return { kind: 'elsewhere', discovery: claim.discovery };
  const undo: Undo = [];
  const takeApart = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        options.log.error(`While stopping: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  try {
    return await start(options, claim.lock, undo, takeApart);
  } catch (error) {
    await takeApart();
    throw error;
  }
}

/** Each part pushes its end onto `undo` as soon as it has begun. */
async function start(
  { home, config, env, log, worker: given }: AgentServerOptions,
  lock: Lock,
  undo: Undo,
  takeApart: () => Promise<void>,
): Promise<RunningServer> {
  undo.push(() => lock.release());
  const opened = await openHomeStore(home, Date.now(), log);
  undo.push(() => opened.close());
  const telemetry = await openTelemetry(config.telemetry, opened, log);
  undo.push(() => telemetry.close());
  const { store, metrics } = telemetry;
  const interrupted = store.failInterruptedTurns();
  if (interrupted > 0) log.info(`Turns that had been interrupted and are failed: ${interrupted}.`);

  const remoteUrl = remoteWorker(config, env)?.url ?? null;
  const worker = given ?? configuredWorker(home, config, env, log);
  undo.push(() => worker.stop());
  const adaptersFolder = join(home, 'adapters');
  const link: WorkerLink = new WorkerLink({
    endpoint: worker.endpoint,
    owner: store.storeId(),
    adapters: adaptersFolder,
    known: () => adapters.known(),
    serving: () => serving.version,
    log: log.warn,
  });
  undo.push(() => link.close());
  const engine = suppliedEngine(new HttpEngine(worker.endpoint), (version, signal) =>
    link.supply(version, signal),
  );
  const prompts = new PromptSource(engine);
  const busy = () => turns.running > 0;
  const versions = await openVersions({ home, store, engine, prompts, config, log, busy });
  const { serving, gate, adapters } = versions;
  const maxTurns = config.worker.maxRunning * TURNS_PER_SLOT;
  const lessons = new LessonBook(store, config.lessons);
  undo.push(() => lessons.close());
  const prepare = (request: PlacedRequest) => lessons.prepare(request);
  const parsers = new SglangParsers(worker.endpoint);
  /** From when editors may connect. */
  let lsp: LspServer | undefined;
  const turns = telemetry.turns({
    store,
    engine,
    serving,
    prompts,
    maxTurns,
    nowMs: Date.now,
    prepare,
    functionCalls: new FunctionCalls(config.gateway.toolCalls, parsers, (error) =>
      log.warn(`Tool calls of an answer stay text: ${error.message}`),
    ),
    onAnswered: (turnId, message) => {
      const edits = store.learning() === 'on' ? proposedEdits(message) : [];
      if (edits.length > 0) lsp?.editsProposed({ turnId, edits });
    },
    onLost: (error) => log.warn(`A next state was not kept: ${error.message}`),
  });
  undo.push(() => drained(turns));

  undo.push(watchEngine(link, serving, prompts));
  undo.push(
    worker.onChange((endpoint) => {
      if (endpoint !== null) link.connect();
    }),
  );

  undo.push(
    store.onChange((what) => {
      if (what === 'versions' || what === 'batches') link.tellKnown();
    }),
  );

  const token = randomBytes(32).toString('base64url');
  const address = keptAddress(home);
  const keys = [token, address.key];
  const listen = (port: number) =>
    startGateway({ turns, serving, prompts, keys, port, nowMs: Date.now, metrics });
  const gateway = await listenAtKept(home, address, config.gateway.port, listen, log.warn);
  undo.push(() => gateway.close());

  let progress: Progress | null = null;
  const place = () => workerPlace(remoteUrl, link.status);
  const loops = () => [
    serveStatus(turns.running, store.doneCounts().serve, link.status, place().kind),
    ...[environment, judge, train].map((loop) => loop.status()),
  ];
  const snapshot = () =>
    panelSnapshot(
      {
        store,
        loops: loops(),
        worker: link.status.connected ? link.status : null,
        workerPlace: place(),
        training: progress,
        gatewayUrl: gateway.url,
      },
      Date.now(),
    );
  const feed = createPanelFeed(snapshot, (error) => log.error(`Panel: ${error.message}`));
  undo.push(() => feed.close());
  undo.push(store.onChange(feed.changed));
  undo.push(link.onStatus(feed.changed));
  undo.push(
    link.onProgress((latest) => {
      progress = latest;
      feed.changed();
    }),
  );

  const editors = new EditorJudge();
  const loopOptions = { log, onStatus: feed.changed };
  const environment = startEnvironmentLoop(store, loopOptions);
  undo.push(() => environment.stop());
  const votes = votesFrom(config.judge, env, editors, worker.endpoint);
  const judge = startJudgeLoop(store, config.learning, votes, loopOptions);
  undo.push(() => judge.stop());
  const folders = batchFolders(join(home, 'batches'));
  const training = { store, engine, serving, prompts, config: config.learning, log };
  const { idle, distillation, close } = lessonWork({ ...training, lessons });
  undo.push(close);
  const train = await startTrainLoop(
    { ...training, folders, gate, adapters, link, idle, distillation, judge: votes.parts },
    { onStatus: feed.changed },
  );
  undo.push(() => train.stop());
  telemetry.watch({ loops, link, localWorker: remoteUrl === null ? worker.endpoint : null });
  const followLearning = (state: LearningState): void => (state === 'on' ? train.resume() : train.pause());
  followLearning(store.learning());

  let stopping: Promise<void> | undefined;
  const stopped = Promise.withResolvers<void>();
  const stop = (): Promise<void> => {
    stopping ??= takeApart().then(stopped.resolve);
    return stopping;
  };
  void store.damaged().then((error) => {
    log.error(
      `The store's file is damaged (${error.message}). This process ends; the next one sets the file aside.`,
    );
    return stop();
  });
  const service = createEditorService({
    store,
    writeCommitMessage: commitMessageWriter({ turns, prompts, serving }),
    editSelection: selectionEditor({ turns, prompts, serving }),
    panel: snapshot,
    tokenTexts: (signal) => tokenTexts(prompts, link.status.connected, signal),
    data: dataExports({ home, store, model: remoteUrl === null ? modelFolder(home, config, env) : null }),
    versions: versions.keeper,
    comparison: versions.comparison,
    sideBySide: versions.sideBySide,
    gateway: { url: gateway.url, key: address.key },
    stop: () => void stop(),
  });
  const { path, release } = socketPlace(home);
  undo.push(release);
  const editorServer = await startLspServer(path, {
    token,
    version: VERSION,
    service,
    feed,
    judges: editors,
    log,
  });
  lsp = editorServer;
  undo.push(() => editorServer.close());
  undo.push(
    onLearningChange(store, (state) => {
      followLearning(state);
      editorServer.learningChanged(state);
    }),
  );

  const discovery: Discovery = {
    format: 1,
    pid: process.pid,
    socket: path,
    port: gateway.port,
    token,
    startedAt: new Date().toISOString(),
    version: VERSION,
  };
  writeDiscovery(home, discovery);
  undo.push(() => removeDiscovery(home, token));
  worker.start();
  // A worker that was handed in may be running already, and then has no news to tell.
  link.connect();
  log.info(`Serving ${store.serving()} at ${gateway.url}.`);
  return { kind: 'running', discovery, store, stop, stopped: stopped.promise };
}

async function drained(turns: TurnRunner): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_LIMIT_MS;
  while (turns.running > 0 && performance.now() < deadlineMs) await delay(10);
}
