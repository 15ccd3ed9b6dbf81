/** Puts the room's parts together for a home folder: who serves, the gate, the user's ways back, the comparison. */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Engine } from '../engine/engine.ts';
import { Serving } from '../engine/serving.ts';
import type { PromptSource } from '../gateway/prompt-source.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';
import { type AdapterFolders, adapterFolders } from './adapter-folders.ts';
import { BetterForMe } from './better-for-me.ts';
import { fallBack } from './fall-back.ts';
import { Gate } from './gate.ts';
import { SideBySide } from './side-by-side.ts';
import { VersionKeeper } from './version-keeper.ts';

export interface Versions {
  serving: Serving;
  gate: Gate;
  adapters: AdapterFolders;
  keeper: VersionKeeper;
  comparison: BetterForMe;
  sideBySide: SideBySide;
}

/** Deletes first what a crash left of versions that are not to be had any more. */
export async function openVersions(parts: {
  home: string;
  store: Store;
  engine: Engine;
  prompts: PromptSource;
  config: Pick<Config, 'promotion' | 'learning' | 'lessons'>;
  log: Log;
  /** Does somebody wait for an answer? */
  busy: () => boolean;
}): Promise<Versions> {
  const { home, store, engine, prompts, config, log, busy } = parts;
  const nowMs = Date.now;
  const serving = new Serving({
    engine,
    serving: store.serving(),
    // By its name, not by the path that was stored: a home folder that was moved or restored still serves.
    folderOf: (version) => (store.version(version)?.folder ? join(home, 'adapters', version) : undefined),
    onUnloadError: (version, error) => log.warn(`${version} could not be unloaded: ${error.message}`),
    onLost: fallBack(store, log, nowMs),
  });
  const folders = adapterFolders(home, store, config.promotion.keepVersions);
  await folders.sweep();
  await folders.thin();
  const shared = { store, engine, serving, prompts };
  return {
    serving,
    adapters: folders,
    gate: new Gate({ ...shared, config: config.promotion, anchorsPerBatch: config.learning.anchors }),
    keeper: new VersionKeeper({ store, serving, folders, log, nowMs }),
    comparison: new BetterForMe({ ...shared, lessons: config.lessons, busy, nowMs }),
    sideBySide: new SideBySide({ ...shared, busy }),
  };
}
