/** Command lines that the user lets the agent run without asking, each in its folder of the workspace. */
import { z } from 'zod';

export interface AllowedCommand {
  /** Path of the workspace folder that it runs in. */
  readonly folder: string;
  readonly command: string;
}

/** VS Code's memory of a workspace. */
export interface Memory {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

const KEY = 'apprentice.agent.allowedCommands';
/** The oldest is forgotten for a new one. */
const MAX_COMMANDS = 200;

const Kept = z.array(z.object({ folder: z.string(), command: z.string() })).catch([]);

export class AllowedCommands {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get all(): readonly AllowedCommand[] {
    return Kept.parse(this.#memory.get(KEY) ?? []);
  }

  /**
   * Only the very same line, to the letter: no part of it is read, so nothing that stands behind an allowed command
   * (`&&`, `;`, `$(...)`, a pipe, a redirection, a new line) comes along with it.
   */
  allows({ folder, command }: AllowedCommand): boolean {
    return this.all.some((one) => one.folder === folder && one.command === command);
  }

  async add(allowed: AllowedCommand): Promise<void> {
    if (!this.allows(allowed)) await this.keep([...this.all, allowed]);
  }

  /** Only these from now on. */
  async keep(commands: readonly AllowedCommand[]): Promise<void> {
    await this.#memory.update(KEY, commands.slice(-MAX_COMMANDS));
  }
}
