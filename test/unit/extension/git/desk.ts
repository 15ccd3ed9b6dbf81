/** A real repository with edits of agents in it, followed as a window does: files open in an editor, or only on the disk. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CommitMemory } from '../../../../extension/capture/git/committed-turns.ts';
import type { GitTold } from '../../../../extension/capture/git/hunks-host.ts';
import { gitPath } from '../../../../extension/capture/git/in-repository.ts';
import { RepositoryHunks } from '../../../../extension/capture/git/repository-hunks.ts';
import { FilesSeen } from '../../../../extension/capture/hunks/files-seen.ts';
import { FollowedHunks } from '../../../../extension/capture/hunks/followed-hunks.ts';
import { HunkTracker } from '../../../../extension/capture/hunks/hunk-tracker.ts';
import { HunkWatch } from '../../../../extension/capture/hunks/hunk-watch.ts';
import type { Change } from '../../../../extension/capture/hunks/span.ts';
import { sampleRepository, silentLog } from '../repository.ts';

export const TURN = '0d1e6a52-4d1c-4f6e-9d7a-2f6a3d1c9b10';
export const OTHER_TURN = '5b0c9a0e-8f53-4b59-8a3b-0c1f6a1e7d22';

export class Desk {
  readonly root: string;
  readonly git: (...args: string[]) => string;
  readonly told: GitTold[] = [];
  readonly memento = new Map<string, unknown>();
  /** When edits arrive. */
  nowMs = 0;
  /** What is said of a look that fails; elsewhere none may. */
  warn: (message: string) => void = assertSilent;
  /** Texts with these words hold a secret. */
  secret = 'no such word';
  readonly #tracker = new HunkTracker();
  readonly watch = new HunkWatch(this.#tracker, (document) => this.#textOf(document));
  readonly #hunks = new FollowedHunks(
    this.#tracker,
    this.watch,
    (document) => this.#textOf(document),
    () => this.#catchUp(),
  );
  readonly #files = new FilesSeen();
  readonly #open = new Map<string, string>();
  readonly #others = new Map<Desk, RepositoryHunks>();
  #repository: RepositoryHunks;

  /** `files` are there and committed; `open`: in an editor too. `beside`: another window on that one's repository. */
  constructor(
    t: TestContext,
    files: Record<string, string>,
    kind: 'open' | 'closed' = 'open',
    beside?: Desk,
  ) {
    const { root, git } = beside ?? sampleRepository(t);
    this.root = root;
    this.git = git;
    for (const [path, text] of Object.entries(files)) this.write(path, text);
    if (beside === undefined) {
      git('add', '--all');
      git('commit', '-qm', 'feat: the files');
    }
    if (kind === 'open')
      for (const [path, text] of Object.entries(files)) this.#open.set(this.#file(path), text);
    this.#repository = this.#watching();
  }

  /** The window is closed, and another one opened. */
  reopen(): void {
    for (const hunk of this.#tracker.hunks()) this.watch.forget(hunk.turnId);
    this.#repository = this.#watching();
  }

  /** An agent's edit arrives: `before` becomes `after`. */
  async agent(path: string, before: string, after: string, turnId = TURN, edit = 0): Promise<void> {
    const file = this.#file(path);
    writeFileSync(file, readFileSync(file, 'utf8').replace(before, after));
    await this.sees(path, after, turnId, edit);
  }

  /** An edit that stands in a file is followed from now on. */
  async sees(path: string, after: string, turnId = TURN, edit = 0): Promise<void> {
    const file = this.#file(path);
    const text = readFileSync(file, 'utf8');
    const start = text.indexOf(after);
    // An edit is told without its last line's end.
    const proposed = after.replaceAll('\r\n', '\n').replace(/\n$/, '');
    const span = { start, end: start + after.replace(/\r?\n$/, '').length };
    this.#readAgain(file);
    this.#hunks.takenOver(file, span, new Set([turnId]));
    this.#tracker.add({ id: `${turnId}/${edit}`, turnId, edit, proposed }, { document: file, span });
    this.watch.arrived(turnId, `${turnId}/${edit}`, this.nowMs);
    await this.look();
  }

  /** Another repository of the same window: an edit of the turn arrives there. */
  async alsoIn(other: Desk, path: string, before: string, after: string): Promise<void> {
    const file = other.#file(path);
    writeFileSync(file, readFileSync(file, 'utf8').replace(before, after));
    const start = readFileSync(file, 'utf8').indexOf(after);
    const proposed = after.replace(/\n$/, '');
    const span = { start, end: start + proposed.length };
    this.#tracker.add({ id: `${TURN}/1`, turnId: TURN, edit: 1, proposed }, { document: file, span });
    this.watch.arrived(TURN, `${TURN}/1`, this.nowMs);
    this.#others.set(other, this.#watching(other.root));
    await this.lookIn(other);
  }

  /** What was told since the last look, of the other repository. */
  async lookIn(other: Desk): Promise<GitTold[]> {
    const before = this.told.length;
    await this.#others.get(other)?.look();
    return this.told.slice(before);
  }

  /** The user edits in the editor, saves, and closes what is not to be open. */
  user(path: string, before: string, after: string): void {
    const file = this.#file(path);
    const text = this.#open.get(file) ?? readFileSync(file, 'utf8');
    const offset = text.indexOf(before);
    if (offset < 0) throw new Error(`${path} has no "${before}".`);
    const now = text.slice(0, offset) + after + text.slice(offset + before.length);
    this.#tracker.change(file, [{ offset, removed: before.length, text: after }]);
    if (this.#open.has(file)) this.#open.set(file, now);
    else this.#tracker.leave(file, now);
    writeFileSync(file, now);
    this.#files.note(file);
  }

  write(path: string, text: string): void {
    writeFileSync(this.#file(path), text);
  }

  read(path: string): string {
    return readFileSync(this.#file(path), 'utf8');
  }

  /** What was told since the last look, looked at again as often as the repository wants it. */
  async look(): Promise<GitTold[]> {
    const before = this.told.length;
    for (let tries = 0; tries < 3 && !(await this.#repository.look()); tries++);
    return this.told.slice(before);
  }

  /** One look, whatever the repository wants. */
  async glance(): Promise<GitTold[]> {
    const before = this.told.length;
    await this.#repository.look();
    return this.told.slice(before);
  }

  #watching(root = this.root): RepositoryHunks {
    return new RepositoryHunks(
      { root, binary: 'git' },
      {
        hunks: this.#hunks,
        memory: new CommitMemory({
          get: (key) => this.memento.get(key),
          update: async (key, value) => void this.memento.set(key, value),
        }),
        log: { ...silentLog, warn: (message) => this.warn(message) },
        mayCapture: () => true,
        owns: (root, document) => gitPath(root, document) !== null,
        changed: () => undefined,
        tellable: async (_document, text) => (text.includes(this.secret) ? null : text),
        report: async (told) => void this.told.push(told),
      },
    );
  }

  #file(path: string): string {
    return join(this.root, path);
  }

  #textOf(file: string): string | null {
    return this.#open.get(file) ?? (existsSync(file) ? readFileSync(file, 'utf8') : null);
  }

  /** Editors read a file again, and tell what differs; of others only the disk knows. */
  #catchUp(): void {
    for (const file of this.#files.changed(this.#tracker.documents())) this.#readAgain(file);
  }

  #readAgain(file: string): void {
    const [shown, text] = [this.#open.get(file), existsSync(file) ? readFileSync(file, 'utf8') : ''];
    if (shown === undefined) this.#tracker.replaced(file, text);
    else if (shown !== text) {
      this.#open.set(file, text);
      this.#tracker.change(file, [lineChange(shown, text)], 'disk');
    }
  }
}

function assertSilent(message: string): never {
  throw new Error(message);
}

/** The lines that differ, in one piece, as an editor has them when it reads a file again. */
function lineChange(before: string, after: string): Change {
  const [ours, theirs] = [before.split(/(?<=\n)/), after.split(/(?<=\n)/)];
  let first = 0;
  while (first < Math.min(ours.length, theirs.length) && ours[first] === theirs[first]) first++;
  let last = 0;
  while (
    last < Math.min(ours.length, theirs.length) - first &&
    ours[ours.length - 1 - last] === theirs[theirs.length - 1 - last]
  )
    last++;
  const from = ours.slice(0, first).join('').length;
  const removed = ours.slice(first, ours.length - last).join('').length;
  return { offset: from, removed, text: theirs.slice(first, theirs.length - last).join('') };
}
