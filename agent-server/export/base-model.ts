/** Which model an adapter is for, by the name and licence that the model's own folder tells. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';

export interface BaseModel {
  /** The name on the Hugging Face hub where that is known, else the folder's. Never a path. */
  name: string;
  /** As the hub writes it: apache-2.0; null: the folder does not say. */
  license: string | null;
}

/** What the set-up makes (gpu-worker/setup/runtime.mjs). */
const SET_UP: BaseModel = { name: 'HuggingFaceTB/SmolLM2-135M-Instruct', license: 'apache-2.0' };

const HUB_NAME = /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/;
const LICENSE = /^license:\s*["']?([\w.-]+)["']?\s*$/m;
const Configuration = z.looseObject({ _name_or_path: z.string().optional() });

/** `madeBySetUp`: the folder is the one that the set-up filled. */
export async function baseModel(folder: string, madeBySetUp: boolean): Promise<BaseModel> {
  if (madeBySetUp) return SET_UP;
  const card = await text(join(folder, 'README.md'));
  const name = nameIn(await text(join(folder, 'config.json')));
  return { name: name ?? basename(folder), license: LICENSE.exec(card.split('\n---')[0] ?? '')?.[1] ?? null };
}

/** Of a worker on another machine: its folder's name, without the digits that tell one model from another. */
export async function elsewhere(name: string): Promise<BaseModel> {
  return { name: name.replace(/@[0-9a-f]{16}$/, ''), license: null };
}

function nameIn(configuration: string): string | null {
  try {
    const name = Configuration.parse(JSON.parse(configuration))._name_or_path ?? '';
    return HUB_NAME.test(name) ? name : null;
  } catch {
    // Not a configuration: the folder's name has to do.
    return null;
  }
}

/** '' where there is none. */
async function text(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
