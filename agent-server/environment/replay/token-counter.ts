/** Counts tokens as the model will, so that a diff is cut to the budget that is stated. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Tokenizer } from '../../gateway/tokenizer.ts';
import { ApprenticeError } from '../../protocol/errors.ts';

const JsonObject = z.record(z.string(), z.unknown());

/** Throws `setup_failed` when the model folder has no tokenizer. */
export async function tokenCounter(modelFolder: string): Promise<(text: string) => number> {
  try {
    const [tokenizer, config] = await Promise.all(
      ['tokenizer.json', 'tokenizer_config.json'].map(async (name) =>
        JsonObject.parse(JSON.parse(await readFile(join(modelFolder, name), 'utf8'))),
      ),
    );
    // Only counting is asked of it: template, end ids and context length play no part.
    const files = {
      tokenizer: tokenizer ?? {},
      config: config ?? {},
      chatTemplate: '',
      eosTokenIds: [],
      contextLength: 0,
    };
    return new Tokenizer(files).countTokens;
  } catch (error) {
    throw new ApprenticeError(
      'setup_failed',
      `The model folder ${modelFolder} has no tokenizer that can be read.`,
      'Run "npm run setup", or name another folder in APPRENTICE_MODEL.',
      { cause: error },
    );
  }
}
