/** A user who stages changes, asks for a message and commits, and what the store then says of each proposal. */
import assert from 'node:assert/strict';
import { eventually } from './process-group.ts';
import type { SampleRepository } from './sample-repository.ts';
import { type Lineage, lineages } from './stored.ts';
import type { Workbench } from './workbench.ts';

/** Loading the model is part of the first answer. */
export const ANSWER_LIMIT_MS = 90_000;
export const JUDGE_LIMIT_MS = 60_000;

/** Text without the breaks of any wrapping: an editor also breaks inside words, after a hyphen. */
export const unbroken = (text: string): string => text.replace(/\s+/g, '');

/** Text as a user reads it, however it was wrapped. */
export const words = (text: string): string => text.split(/\s+/).join(' ').trim();

export class Author {
  readonly #workbench: Workbench;
  readonly #repository: SampleRepository;
  readonly #home: string;

  constructor(workbench: Workbench, repository: SampleRepository, home: string) {
    this.#workbench = workbench;
    this.#repository = repository;
    this.#home = home;
  }

  stage(path: string, text: string): void {
    this.#repository.write(path, text);
    this.#repository.git('add', '--all');
  }

  /** Presses the button and waits until it has written; returns what then stands in the box. */
  async propose(onPressed: () => Promise<void> = async () => undefined): Promise<string> {
    const workbench = this.#workbench;
    const before = this.count();
    await workbench.openSourceControl();
    await workbench.pressCommitAction('Write Commit Message');
    await onPressed();
    await workbench.openSourceControl();
    // The box may still hold an earlier text, and the button turns to "Stop" a moment after the press.
    assert.ok(await eventually(() => this.count() > before, ANSWER_LIMIT_MS), 'no message was written');
    await workbench.commitAction('Write Commit Message').waitFor({ timeout: ANSWER_LIMIT_MS });
    return workbench.commitMessage();
  }

  async committed(message: string): Promise<void> {
    const last = (): string => this.#repository.git('log', '-1', '--format=%B');
    const done = await eventually(() => last() === message, JUDGE_LIMIT_MS);
    assert.ok(done, `the last commit is "${last()}", not "${message}"`);
  }

  /** Proposals that were written to their end. */
  count(): number {
    return new Set(this.#written().map(({ turn_id }) => turn_id)).size;
  }

  /** The rows of the proposal of this place once `holds` of one; fails with the rows as they are when it never does. */
  async turn(index: number, limitMs: number, holds: (row: Lineage) => boolean): Promise<Lineage> {
    const rows = (): Lineage[] => {
      const all = this.#written();
      const turnId = [...new Set(all.map(({ turn_id }) => turn_id))][index];
      return all.filter(({ turn_id }) => turn_id === turnId);
    };
    await eventually(() => rows().some(holds), limitMs);
    const row = rows().find(holds);
    assert.ok(row, `turn ${index} stays ${JSON.stringify(rows())}`);
    return row;
  }

  /** A proposal that was stopped has no text. */
  #written(): Lineage[] {
    return lineages(this.#home).filter(({ text }) => text !== null);
  }
}
