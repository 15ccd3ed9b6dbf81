/**
 * What the user can do about what was learnt: go back to a version, leave a turn out, delete, forget. Each is on
 * record in the store before the pointer moves, so that a crash in between ends with the store's word. Promotion by
 * itself is the train loop's.
 */
import type { Serving } from '../engine/serving.ts';
import type { Log } from '../log.ts';
import { BASE_VERSION, type SessionId, type TurnId, type WeightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { Deleted } from '../store/version-types.ts';
import type { AdapterFolders } from './adapter-folders.ts';

export interface VersionKeeperParts {
  store: Store;
  serving: Serving;
  folders: AdapterFolders;
  log: Log;
  nowMs: () => number;
}

export class VersionKeeper {
  readonly #parts: VersionKeeperParts;

  constructor(parts: VersionKeeperParts) {
    this.#parts = parts;
  }

  /**
   * A version that has served before serves again; running requests end on theirs. Training goes on from it, and
   * what was under way does not come to serve. At once when it is loaded. Throws what loading throws, and
   * `invalid_request` for a version that never served or has failed; then nothing has changed.
   */
  async rollBack(version: WeightVersion, signal: AbortSignal): Promise<{ serving: WeightVersion }> {
    const { store, serving, log, nowMs } = this.#parts;
    const from = serving.version;
    await serving.goTo(version, () => store.goBack(version, 'the user asked for it', nowMs()), signal);
    log.info(`The user went from ${from} back to ${version}.`);
    return { serving: version };
  }

  /**
   * Goes back to the last version that learnt nothing which is deleted or excluded by now, and deletes those that
   * did. What they had learnt besides is trained again by the train loop. Throws what loading throws.
   */
  async forget(
    signal: AbortSignal,
  ): Promise<{ serving: WeightVersion; forgotten: WeightVersion[]; samplesReady: number }> {
    const { store, serving, folders, log, nowMs } = this.#parts;
    const clean = store.cleanAncestor();
    let outcome: ReturnType<Store['forget']> = { serving: clean, forgotten: [], samplesReady: 0 };
    const record = () => {
      outcome = store.forget(clean, nowMs());
    };
    await serving.goTo(clean, record, signal);
    serving.forget(outcome.forgotten);
    await folders.sweep();
    log.info(
      `Forgotten: ${outcome.forgotten.join(', ') || 'no version'}; ${outcome.serving} serves, and ` +
        `${outcome.samplesReady} samples are trained again.`,
    );
    return outcome;
  }

  /** Throws `not_found`. See `Store.deleteTurn`. */
  async deleteTurn(turnId: TurnId): Promise<Deleted> {
    const deleted = this.#parts.store.deleteTurn(turnId);
    await this.#parts.folders.sweep();
    return deleted;
  }

  /** Throws `not_found`. See `Store.deleteSession`. */
  async deleteSession(sessionId: SessionId): Promise<Deleted> {
    const deleted = this.#parts.store.deleteSession(sessionId);
    await this.#parts.folders.sweep();
    return deleted;
  }

  /** The base serves, and nothing is left of turns, versions, batches and copies that were set aside. */
  async deleteEverything(signal: AbortSignal): Promise<void> {
    const { store, serving, folders, log, nowMs } = this.#parts;
    const versions = store.versions().map(({ version }) => version);
    await serving.goTo(BASE_VERSION, () => store.deleteEverything(nowMs()), signal);
    serving.forget(versions);
    await folders.clear();
    log.info('The user had everything deleted.');
  }

  /** Throws `not_found` for a turn without a sample. */
  exclude(turnId: TurnId, state: 'excluded' | 'included'): void {
    this.#parts.store.excludeTurn(turnId, state);
  }
}
