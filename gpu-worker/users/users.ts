/**
 * Who may use this worker, and what is theirs: the first user, by the worker's own key, and those of `users.json`, which
 * is looked at every second, so that who is added is let in and who is removed is gone without a restart.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import { type AccessHeaders, bearerKey, keyOwner, noSuchKey } from '../access.ts';
import { remove } from '../weights/durable.ts';
import {
  FIRST_USER,
  keySha256,
  readUsers,
  type User,
  userHome,
  usersFolder,
  usersStamp,
} from './user-file.ts';
import { type Shared, UserSpace } from './user-space.ts';

const LOOK_MS = 1_000;

export interface UsersOptions {
  /** The worker's. */
  home: string;
  /** The first user's. */
  key: string;
  shared: Shared;
  log: (line: string) => void;
}

interface Member {
  name: string;
  keySha256: string;
  space: UserSpace;
}

export class Users {
  readonly #options: UsersOptions;
  readonly #members = new Map<string, Member>();
  readonly #ending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();
  #stamp = '';
  #complaint = '';

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** Throws `setup_failed` for a `users.json` that cannot be read. */
  async open(): Promise<void> {
    const { home, key } = this.#options;
    const users = readUsers(home);
    await this.#add({ id: FIRST_USER, name: FIRST_USER, keySha256: keySha256(key) }, home);
    await this.#sweep(users);
    await this.#look();
    this.#timer = setInterval(() => void this.refresh(), LOOK_MS).unref();
  }

  /** Names of those who were added, oldest first. */
  get added(): string[] {
    return [...this.#members.values()].map(({ name }) => name).filter((name) => name !== FIRST_USER);
  }

  /** The space of whose key a request bears. Throws `unauthorized`. */
  async admit(headers: AccessHeaders): Promise<UserSpace> {
    const sha256 = keySha256(bearerKey(headers));
    const known = keyOwner(sha256, this.#members.values());
    if (known) return known.space;
    // Who was added a moment ago need not wait for the next look.
    await this.refresh();
    const added = keyOwner(sha256, this.#members.values());
    if (!added) throw noSuchKey();
    return added.space;
  }

  /** To be called whenever a state of engine or trainer has changed. */
  statusChanged(): void {
    for (const { space } of this.#members.values()) space.statusChanged();
  }

  /** Looks at `users.json`, if it has changed; resolves when who was added can come in. */
  refresh(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((thrown) => this.#complain(toApprenticeError(thrown).message));
    return this.#looking;
  }

  /** Cuts every link. The engine and the trainer are ended by whoever began them. */
  async close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#looking;
    const links = [...this.#members.values()].map(({ space }) => space.link.close());
    await Promise.allSettled([...links, ...this.#ending]);
  }

  async #look(): Promise<void> {
    const { home, log } = this.#options;
    const stamp = usersStamp(home);
    if (stamp === this.#stamp) return;
    const users = readUsers(home);
    const ids = new Set([FIRST_USER, ...users.map(({ id }) => id)]);
    for (const [id, member] of this.#members) if (!ids.has(id)) this.#remove(id, member);
    for (const user of users) {
      const member = this.#members.get(user.id);
      if (member === undefined) await this.#add(user, userHome(home, user));
      else if (member.keySha256 !== user.keySha256) {
        log(`User ${user.name} has a new key; connections by the old one are cut.`);
        member.keySha256 = user.keySha256;
        member.space.link.cut();
      }
    }
    // Not before all of it is done: a folder that could not be made is tried again.
    this.#stamp = stamp;
    this.#complaint = '';
  }

  async #add({ id, name, keySha256 }: Pick<User, 'id' | 'name' | 'keySha256'>, home: string): Promise<void> {
    const { shared, log } = this.#options;
    const first = id === FIRST_USER;
    const space = await UserSpace.open({
      shared,
      id,
      home,
      alone: () => this.#members.size === 1,
      log: first ? log : (line) => log(`${name}: ${line}`),
    });
    this.#members.set(id, { name, keySha256, space });
    if (!first) log(`User ${name} is let in.`);
  }

  #remove(id: string, { name, space }: Member): void {
    const { home, log } = this.#options;
    this.#members.delete(id);
    log(`User ${name} was removed; what is theirs is deleted.`);
    const gone = space
      .end()
      .catch((thrown) => log(`User ${name}: ${toApprenticeError(thrown).message}`))
      .then(() => remove(userHome(home, { id })))
      .catch((thrown) => log(`User ${name}: ${toApprenticeError(thrown).message}`))
      .finally(() => this.#ending.delete(gone));
    this.#ending.add(gone);
  }

  /** Folders of users who were removed while no worker ran, or while one died. */
  async #sweep(users: readonly User[]): Promise<void> {
    const folder = usersFolder(this.#options.home);
    const ids = new Set(users.map(({ id }) => id));
    const names = await readdir(folder).catch(() => []);
    for (const name of names)
      if (z.uuid().safeParse(name).success && !ids.has(name)) await remove(join(folder, name));
  }

  #complain(message: string): void {
    if (message === this.#complaint) return;
    this.#complaint = message;
    this.#options.log(`Users: ${message}`);
  }
}
