/**
 * One editor's connection: token first, then the requests of protocol/editor.ts, each parsed. Its end (exit, a
 * closed socket, a time-out) cancels what it asked for and touches no other connection.
 */
import type { Socket } from 'node:net';
import { type CancellationToken, ResponseError } from 'vscode-jsonrpc/node';
import { z } from 'zod';
import type { EditorJudge } from '../judge/editor-judge.ts';
import type { Log } from '../log.ts';
import { tryWorker } from '../loops/try-worker.ts';
import {
  type EditsProposed,
  editorNotifications,
  editorRequests,
  InitializationOptions,
  type LearningState,
} from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import { sameSecret } from '../secret.ts';
import { askOver } from './ask-judge.ts';
import type { EditorService } from './editor-service.ts';
import type { PanelFeed } from './panel-feed.ts';
import { MAX_FIRST_MESSAGE_BYTES, MAX_MESSAGE_BYTES, openWire, RPC_CODES, toResponseError } from './wire.ts';

export interface ConnectionContext {
  token: string;
  version: string;
  service: EditorService;
  feed: PanelFeed;
  /** Where an editor that can judge offers itself. */
  judges: Pick<EditorJudge, 'offer'>;
  log: Log;
}

export interface EditorConnection {
  learningChanged(state: LearningState): void;
  editsProposed(proposed: EditsProposed): void;
  close(): void;
}

const INITIALIZE_LIMIT_MS = 10_000;

/** vscode-jsonrpc writes an answer some turns of the event loop after the handler gave it. */
const ANSWER_GRACE_MS = 100;

/** Messages that may wait for a client that does not read; beyond, the connection is cut. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

const InitializeParams = z.object({ initializationOptions: InitializationOptions });

export function serveConnection(socket: Socket, context: ConnectionContext): EditorConnection {
  const { service, feed, log } = context;
  const { connection, limit } = openWire(socket, MAX_FIRST_MESSAGE_BYTES);
  const closed = new AbortController();
  let client: string | null = null;
  let unsubscribe: (() => void) | null = null;
  let withdraw: (() => void) | null = null;

  const waiting = setTimeout(() => socket.destroy(), INITIALIZE_LIMIT_MS);
  socket.once('close', () => {
    clearTimeout(waiting);
    unsubscribe?.();
    withdraw?.();
    closed.abort();
    connection.dispose();
    if (client !== null) log.info(`${client} left.`);
  });

  const notify = <P extends z.ZodType>(
    definition: { method: string; params: P },
    params: z.input<P>,
  ): void => {
    if (socket.destroyed) return;
    if (socket.writableLength > MAX_UNREAD_BYTES) {
      log.warn(`${client} does not read what it is sent; its connection is cut.`);
      socket.destroy();
      return;
    }
    // A failed write closes the socket, and that is handled above.
    connection.sendNotification(definition.method, params).catch(() => socket.destroy());
  };

  const on = <P extends z.ZodType, R extends z.ZodType>(
    definition: { method: string; params: P; result: R },
    handle: (params: z.output<P>, signal: AbortSignal) => z.input<R> | Promise<z.input<R>>,
  ): void => {
    connection.onRequest(definition.method, async (params: unknown, token: CancellationToken) => {
      if (client === null) {
        throw new ResponseError(RPC_CODES.serverNotInitialized, 'The first request must be initialize.');
      }
      const cancelled = new AbortController();
      const subscription = token.onCancellationRequested(() => cancelled.abort());
      try {
        const signal = AbortSignal.any([cancelled.signal, closed.signal]);
        return await handle(parsed(definition.method, definition.params, params), signal);
      } catch (error) {
        throw toResponseError(error);
      } finally {
        subscription.dispose();
      }
    });
  };

  connection.onRequest('initialize', (params: unknown) => {
    const { initializationOptions } = parseOrRefuse(params);
    if (!sameSecret(initializationOptions.token, context.token)) {
      log.warn(`${initializationOptions.client}: wrong token.`);
      throw refuse(socket);
    }
    clearTimeout(waiting);
    limit(MAX_MESSAGE_BYTES);
    client = initializationOptions.client;
    if (initializationOptions.judge) withdraw = context.judges.offer(askOver(connection));
    log.info(`${client} connected.`);
    return { capabilities: {}, serverInfo: { name: 'apprentice', version: context.version } };
  });
  const parseOrRefuse = (params: unknown): z.infer<typeof InitializeParams> => {
    const result = InitializeParams.safeParse(params);
    if (!result.success) throw refuse(socket);
    return result.data;
  };
  connection.onRequest('shutdown', () => null);
  connection.onNotification('exit', () => {
    socket.end();
  });

  const { actionText, evaluateProgress, exportProgress, panelChanged, learningChanged, sideBySideAnswered } =
    editorNotifications;
  on(editorRequests.observe, (observation) => service.observe(observation));
  on(editorRequests.writeCommitMessage, ({ requestId, change }, signal) =>
    service.writeCommitMessage(change, (text) => notify(actionText, { requestId, text }), signal),
  );
  on(editorRequests.editSelection, ({ requestId, selection }, signal) =>
    service.editSelection(selection, (text) => notify(actionText, { requestId, text }), signal),
  );
  on(editorRequests.openProposals, ({ repositoryRoot }) => service.openProposals(repositoryRoot));
  on(editorRequests.panel, () => service.panel());
  on(editorRequests.turns, (query) => service.turns(query));
  on(editorRequests.turn, ({ turnId }, signal) => service.turn(turnId, signal));
  on(editorRequests.answerGroups, (_, signal) => service.answerGroups(signal));
  on(editorRequests.stored, () => service.data.stored());
  on(editorRequests.export, ({ requestId, ...request }, signal) =>
    service.data.write(request, (done, total) => notify(exportProgress, { requestId, done, total }), signal),
  );
  on(editorRequests.exportAdapter, async (request, signal) => ({
    folder: await service.data.adapter(request, signal),
  }));
  on(editorRequests.subscribePanel, ({ on: wanted }) => {
    unsubscribe?.();
    // A client still busy with the last snapshots gets a later one instead of a longer queue.
    unsubscribe = wanted
      ? feed.subscribe((snapshot) => {
          if (!socket.writableNeedDrain) notify(panelChanged, snapshot);
        })
      : null;
    return null;
  });
  on(editorRequests.setLearning, ({ state }) => service.setLearning(state));
  on(editorRequests.getLearning, () => service.learning());
  on(editorRequests.lessons, () => service.lessons());
  on(editorRequests.updateLesson, ({ lessonId, ...change }) => service.updateLesson(lessonId, change));
  on(editorRequests.deleteLesson, ({ lessonId }) => service.deleteLesson(lessonId));
  const { versions } = service;
  on(editorRequests.rollback, ({ version }, signal) => versions.rollBack(version, signal));
  on(editorRequests.excludeSample, ({ turnId, on: excluded }) => {
    versions.exclude(turnId, excluded ? 'excluded' : 'included');
    return null;
  });
  on(editorRequests.deleteTurn, ({ turnId }) => versions.deleteTurn(turnId));
  on(editorRequests.deleteSession, ({ sessionId }) => versions.deleteSession(sessionId));
  on(editorRequests.deleteEverything, async (_, signal) => {
    await versions.deleteEverything(signal);
    return null;
  });
  on(editorRequests.forget, (_, signal) => versions.forget(signal));
  on(editorRequests.evaluate, ({ requestId, ...request }, signal) =>
    service.comparison.evaluate(
      request,
      (done, total) => notify(evaluateProgress, { requestId, done, total }),
      signal,
    ),
  );
  on(editorRequests.comparisons, (request) => service.comparison.comparisons(request));
  on(editorRequests.sideBySide, ({ requestId, ...request }, signal) =>
    service.sideBySide.answer(
      request,
      (pair, total) => notify(sideBySideAnswered, { requestId, total, pair }),
      signal,
    ),
  );
  on(editorRequests.gateway, () => service.gateway);
  on(editorRequests.tryWorker, (pairing, signal) => tryWorker(pairing, signal));
  on(editorRequests.stop, () => {
    setTimeout(() => service.stop(), ANSWER_GRACE_MS);
    return null;
  });
  connection.listen();

  return {
    learningChanged: (state) => {
      if (client !== null) notify(learningChanged, { state });
    },
    editsProposed: (proposed) => {
      if (client !== null) notify(editorNotifications.editsProposed, proposed);
    },
    close: () => {
      // `end` flushes answers under way; a peer that does not close its half is cut.
      socket.end();
      setTimeout(() => socket.destroy(), 500).unref();
    },
  };
}

function parsed<P extends z.ZodType>(method: string, schema: P, params: unknown): z.output<P> {
  const result = schema.safeParse(params);
  if (result.success) return result.data;
  throw new ApprenticeError(
    'invalid_request',
    `${method}: ${z.prettifyError(result.error)}`,
    'Mend the named fields.',
  );
}

/** The refusal is sent, then the connection ends. */
function refuse(socket: Socket): ResponseError<unknown> {
  setTimeout(() => socket.end(), ANSWER_GRACE_MS);
  return toResponseError(
    new ApprenticeError(
      'unauthorized',
      'The token in initializationOptions is missing or wrong.',
      'Read it from discovery.json again: it is new at every start.',
    ),
  );
}
