/**
 * Writes an export to the file that the user chose: beside it first, so that what lies there is replaced by a whole
 * export or not at all. Works through sessions in pieces and lets the process do its other work in between.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import type { Exported, ExportRequest } from '../protocol/data.ts';
import { ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { SessionId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Turn } from '../store/types.ts';
import { VERSION } from '../version.ts';
import { trajectories } from './trajectory.ts';
import { turnLine } from './turn-line.ts';

const SESSIONS_A_PIECE = 50;
const TURNS_A_PIECE = 50;
/**
 * A session's turns are held together to find their paths. Of a longer one, what comes after so many begins new
 * trajectories: its requests hold the messages before them, so nothing is lost.
 */
const MAX_TRAJECTORY_TURNS = 500;

export type ExportStore = Pick<
  Store,
  | 'storedCounts'
  | 'sessionsAfter'
  | 'turnsOfSession'
  | 'panelTurn'
  | 'session'
  | 'verdict'
  | 'votes'
  | 'hintCandidates'
  | 'nextStates'
>;

/**
 * `onProgress` hears how many of how many turns are done, once a piece. Throws `aborted` after `signal`,
 * `invalid_request` for a path that is not absolute, `disk_full`, and what the system says of the file.
 */
export async function writeExport(
  store: ExportStore,
  { format, file }: Pick<ExportRequest, 'format' | 'file'>,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<Exported> {
  if (!isAbsolute(file))
    throw new ApprenticeError('invalid_request', `${file} is not absolute.`, 'Choose a file.');
  const part = `${file}.${randomUUID()}.part`;
  const lines = format === 'turns' ? turnLines(store) : trajectoryLines(store);
  try {
    // It holds what the user asked and was answered: nobody else's to read.
    const handle = await open(part, 'wx', 0o600);
    try {
      const written = await writeLines(handle, lines, store.storedCounts().turns, onProgress, signal);
      await handle.sync();
      await handle.close();
      await rename(part, file);
      return written;
    } finally {
      await handle.close();
    }
  } catch (error) {
    await rm(part, { force: true });
    throw toApprenticeError(error);
  }
}

/** The lines of a piece, and how many turns they stand for. */
interface Piece {
  lines: unknown[];
  turns: number;
}

async function writeLines(
  handle: FileHandle,
  pieces: Iterable<Piece>,
  total: number,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<Exported> {
  let [lines, bytes, done] = [0, 0, 0];
  for (const piece of pieces) {
    if (signal.aborted)
      throw new ApprenticeError('aborted', 'The export was cancelled; nothing was written.', '');
    const text = piece.lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    await handle.writeFile(text);
    lines += piece.lines.length;
    bytes += Buffer.byteLength(text);
    done += piece.turns;
    onProgress(Math.min(done, total), total);
    await otherWork();
  }
  return { lines, bytes };
}

function* turnLines(store: ExportStore): Generator<Piece> {
  for (const sessionId of sessions(store)) {
    for (const turns of pieces(store, sessionId)) {
      const lines = turns.map((turn) => turnLine(store, turn)).filter((line) => line !== null);
      yield { lines, turns: turns.length };
    }
  }
}

function* trajectoryLines(store: ExportStore): Generator<Piece> {
  for (const sessionId of sessions(store)) {
    let block: Turn[] = [];
    for (const piece of pieces(store, sessionId)) {
      block.push(...piece);
      if (block.length < MAX_TRAJECTORY_TURNS) continue;
      yield trajectoriesOf(store, sessionId, block);
      block = [];
    }
    if (block.length > 0) yield trajectoriesOf(store, sessionId, block);
  }
}

function trajectoriesOf(store: ExportStore, sessionId: SessionId, turns: readonly Turn[]): Piece {
  const exported = turns.flatMap((turn) => {
    if (turn.response === null) return [];
    const { turnId } = turn;
    const nextStates = store.nextStates(turnId);
    return [{ turn, response: turn.response, nextStates, verdict: store.verdict(turnId) }];
  });
  const client = store.session(sessionId)?.client ?? null;
  // Of other agents only the name is told.
  const agent =
    client === null ? { name: 'apprentice', version: VERSION } : { name: client, version: 'unknown' };
  return { lines: trajectories(exported, agent), turns: turns.length };
}

function* sessions(store: ExportStore): Generator<SessionId> {
  let after = 0;
  for (;;) {
    const found = store.sessionsAfter(after, SESSIONS_A_PIECE);
    for (const { sessionId } of found) yield sessionId;
    const last = found.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

function* pieces(store: ExportStore, sessionId: SessionId): Generator<Turn[]> {
  let after: Turn | null = null;
  for (;;) {
    const turns: Turn[] = store.turnsOfSession(sessionId, after, TURNS_A_PIECE);
    const last = turns.at(-1);
    if (last === undefined) return;
    yield turns;
    after = last;
  }
}
