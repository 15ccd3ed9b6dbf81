/** Which base model this is: adapters fit one base only, and its folder's path does not say which. */
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

/** Of each weight file, so that half a gigabyte need not be read at every start. */
const DIGESTED_BYTES = 1_048_576;

/**
 * The folder's name with 16 hex digits over its configuration and the head and size of its weight files, as
 * `model@0123456789abcdef`. Throws `setup_failed` when the folder is not a model.
 */
export async function baseModelName(folder: string): Promise<string> {
  const digest = createHash('sha256');
  try {
    digest.update(await readFile(join(folder, 'config.json')));
    const weights = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort();
    if (weights.length === 0) throw new Error('it holds no .safetensors file');
    for (const name of weights) digest.update(name).update(await headAndSize(join(folder, name)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApprenticeError(
      'setup_failed',
      `${folder} is not a model folder: ${why}.`,
      'Run the set-up again, or name a Hugging Face model folder in the settings.',
      { cause: error },
    );
  }
  return `${basename(folder)}@${digest.digest('hex').slice(0, 16)}`;
}

async function headAndSize(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(DIGESTED_BYTES), 0, DIGESTED_BYTES, 0);
    return Buffer.concat([buffer.subarray(0, bytesRead), Buffer.from(String(size))]);
  } finally {
    await handle.close();
  }
}
