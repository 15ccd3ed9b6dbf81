/** A request's place among the turns in the store, and what it says about the turn before it. Rules are sessions/'s. */
import { randomUUID } from 'node:crypto';
import { type ApprenticeError, toApprenticeError } from '../protocol/errors.ts';
import type { PlainMessage, TakenFor, TurnKind } from '../protocol/gateway.ts';
import { SessionId } from '../protocol/ids.ts';
import { type HashedRequest, hashRequest } from '../sessions/conversation-hash.ts';
import { nextStatesOf } from '../sessions/next-states.ts';
import { MAX_EARLIER, type Place, placeRequest } from '../sessions/place-request.ts';
import type { Store } from '../store/store.ts';

/** A session's name as its client gives it, or its messages alone. */
export type SessionChoice = { origin: 'header' | 'editor'; id: SessionId } | { origin: 'prefix' };

export interface TurnPlace extends Place {
  hashes: HashedRequest;
  /** What hashes of this session are made with. */
  scope: string;
}

export function kindOf(takenFor: TakenFor): TurnKind {
  return takenFor === 'main' ? 'main' : 'side';
}

export function placeTurn(
  store: Pick<Store, 'earlierTurns'>,
  request: { session: SessionChoice; takenFor: TakenFor; messages: readonly PlainMessage[] },
  nowMs: number,
): TurnPlace {
  const { session, takenFor, messages } = request;
  const named = session.origin === 'prefix' ? null : session.id;
  const scope = named ?? '';
  const hashes = hashRequest(messages, scope);
  const place = placeRequest(
    hashes,
    { by: (what, hash) => store.earlierTurns(what, hash, MAX_EARLIER) },
    { kind: kindOf(takenFor), named, fresh: SessionId.parse(randomUUID()), nowMs },
  );
  return { ...place, hashes, scope };
}

/**
 * What main work says next is a next state of the turn that it goes on from, while the user lets us learn. Never
 * throws: what cannot be kept (a full queue) is told to `onLost`, and the request goes on.
 */
export function observeParent(
  store: Pick<Store, 'learning' | 'turn' | 'addObservation'>,
  place: TurnPlace,
  request: { takenFor: TakenFor; messages: readonly PlainMessage[] },
  nowMs: number,
  onLost: (error: ApprenticeError) => void,
): void {
  const { parentTurnId, newFrom } = place;
  if (parentTurnId === null || newFrom === null || request.takenFor !== 'main') return;
  if (store.learning() !== 'on') return;
  const parent = store.turn(parentTurnId);
  if (parent === undefined || parent.kind !== 'main' || !parent.learnable || parent.response === null) return;
  try {
    const said = request.messages.slice(newFrom);
    for (const observation of nextStatesOf(parent, said, new Date(nowMs)))
      store.addObservation(observation, nowMs);
  } catch (error) {
    onLost(toApprenticeError(error));
  }
}
