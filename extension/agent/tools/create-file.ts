/** Makes a new file, once the user has reviewed it. */
import { mkdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isWithin } from '../place.ts';
import { type AgentTool, defineTool, ToolError } from '../tool.ts';
import { type EditParts, lf, path, reviewed, text } from './reviewed-edit.ts';

const Args = z.object({ path, content: text.describe('The whole text of the file') });

export function createFileTool(parts: EditParts): AgentTool {
  const what = 'Makes a new file. The user reviews it; the result says what they decided.';
  return defineTool('create_file', what, Args, async (args, call) => {
    if (args.content === '')
      throw new ToolError('There is nothing to review in an empty file: give it a line.');
    const place = await parts.files.free(args.path);
    const made = await mkdir(dirname(place.path), { recursive: true });
    // Empty until it is reviewed; not over one that came meanwhile.
    await writeFile(place.path, '', { flag: 'wx' });
    try {
      const document = await parts.files.open(place);
      const content = lf(args.content);
      const ends = content.endsWith('\n') ? '\n' : '';
      const asAnswer = (left: readonly string[]): string => `${left.join('\n').replace(/\n$/, '')}${ends}`;
      const lines = { first: 0, original: [''], proposed: content.split('\n') };
      return await reviewed(parts, document, { ...lines, asAnswer }, call);
    } finally {
      // Nothing of it was wanted, or it was left: an empty file says nothing.
      if ((await sizeOf(place.path)) === 0) await takeAway(place.path, made);
    }
  });
}

/** The file, and the folders that were made for it, from `made` on, as far as nothing else came into them. */
async function takeAway(file: string, made: string | undefined): Promise<void> {
  await rm(file, { force: true });
  if (made === undefined) return;
  try {
    for (let folder = dirname(file); isWithin(made, folder); folder = dirname(folder)) await rmdir(folder);
  } catch {
    // Not empty, or gone already.
  }
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    ({ size }) => size,
    () => null,
  );
}
