/** What the user may see of what is stored, and take out of it: the room's parts for one home folder. */
import { join } from 'node:path';
import type { Exported, ExportRequest, Stored } from '../protocol/data.ts';
import type { WeightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import { baseModel, elsewhere } from './base-model.ts';
import { exportAdapter } from './export-adapter.ts';
import { stored } from './stored.ts';
import { writeExport } from './write-export.ts';

export interface DataExports {
  stored(): Promise<Stored>;
  /** See `writeExport`. */
  write(
    request: Pick<ExportRequest, 'format' | 'file'>,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<Exported>;
  /** See `exportAdapter`; the folder that was made. */
  adapter(request: { version: WeightVersion; folder: string }, signal: AbortSignal): Promise<string>;
}

/** `model`: the folder of the base model; null: it is on another machine, and the lineage tells its name. */
export function dataExports({
  home,
  store,
  model,
}: {
  home: string;
  store: Store;
  model: string | null;
}): DataExports {
  const setUpModel = join(home, 'runtime', 'model');
  return {
    stored: () => stored(home, store),
    write: (request, onProgress, signal) => writeExport(store, request, onProgress, signal),
    adapter: (request, signal) =>
      exportAdapter(
        {
          home,
          store,
          baseModel: (lineage) =>
            model === null ? elsewhere(lineage.baseModel) : baseModel(model, model === setUpModel),
        },
        request,
        signal,
      ),
  };
}
