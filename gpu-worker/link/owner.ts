/**
 * Whose weights lie here: version numbers are an agent-server's own, so that of two there is never both. The file names
 * the store; a fresh one of another machine, or of the same after a loss, begins with nothing here.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const OwnerFile = z.object({ format: z.literal(1), owner: z.uuid() });

export class Owner {
  readonly #file: string;
  #owner: string | null = null;

  constructor(home: string) {
    this.#file = join(home, 'owner.json');
  }

  /** Reads who it was. What cannot be read is nobody, and what lies here is cleared away for the next. */
  async open(): Promise<void> {
    try {
      this.#owner = OwnerFile.safeParse(JSON.parse(await readFile(this.#file, 'utf8'))).data?.owner ?? null;
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!missing && !(error instanceof SyntaxError)) throw error;
    }
  }

  is(owner: string): boolean {
    return this.#owner === owner;
  }

  /** To be called once nothing of another's is left. */
  async become(owner: string): Promise<void> {
    const file: z.input<typeof OwnerFile> = { format: 1, owner };
    await writeFile(`${this.#file}.tmp`, `${JSON.stringify(file)}\n`, { mode: 0o600 });
    await rename(`${this.#file}.tmp`, this.#file);
    this.#owner = owner;
  }
}
