/**
 * `users.json` in the worker's home folder: who may use it besides the first user, whose key is `worker-key`. Of a key
 * its sha256 is kept, so that it is told once, when it is made. Changed by `apprentice-worker user` (cli/user-command.ts)
 * while the worker runs or not; a running one looks at it every second (users.ts).
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

/** The user of `worker-key`, whose home is the worker's own. */
export const FIRST_USER = 'default';
const MAX_USERS = 256;
/** A change takes milliseconds: a lock that is older was left by a process that died. */
const STALE_LOCK_MS = 10_000;

const UserName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/)
  .refine((name) => name !== FIRST_USER);

export const User = z.strictObject({
  name: UserName,
  /** Names the user's folder and adapters inside the worker: a name that is given again is another user. */
  id: z.uuid(),
  /** Hex, over the key's text. */
  keySha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.iso.datetime(),
});
export type User = z.infer<typeof User>;

const UserFile = z.strictObject({
  format: z.literal(1),
  users: z
    .array(User)
    .max(MAX_USERS)
    .refine((users) => new Set(users.map(({ name }) => name)).size === users.length, 'a name stands twice')
    .refine((users) => new Set(users.map(({ id }) => id)).size === users.length, 'an id stands twice'),
});

/** Hex sha256 of a key. */
export function keySha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export function usersFolder(home: string): string {
  return join(home, 'users');
}

/** Where weights and batches of an added user lie. */
export function userHome(home: string, { id }: Pick<User, 'id'>): string {
  return join(usersFolder(home), id);
}

/** Oldest first; none where there is no file. Throws `setup_failed` for a file that cannot be read. */
export function readUsers(home: string): User[] {
  const file = fileIn(home);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw unreadable(file, error);
  }
  try {
    return UserFile.parse(JSON.parse(text)).users;
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Changes whenever the file does. */
export function usersStamp(home: string): string {
  const found = statSync(fileIn(home), { throwIfNoEntry: false });
  return found === undefined ? 'none' : `${found.ino}.${found.mtimeMs}.${found.size}`;
}

/** The new user and the key, which is told only now. Throws `invalid_request` for a name that is taken or is none. */
export function addUser(home: string, name: string): { user: User; key: string } {
  if (!UserName.safeParse(name).success)
    throw new ApprenticeError(
      'invalid_request',
      name === FIRST_USER
        ? `${FIRST_USER} is the user of the worker's own key and is there already.`
        : `${JSON.stringify(name)} is no name for a user.`,
      'Take up to 32 of a-z, 0-9, dot, hyphen and underscore, a letter or digit first.',
    );
  const key = madeKey();
  const user: User = {
    name,
    id: randomUUID(),
    keySha256: keySha256(key),
    createdAt: new Date().toISOString(),
  };
  change(home, (users) => {
    if (users.some((one) => one.name === name))
      throw new ApprenticeError(
        'invalid_request',
        `There is a user ${name} already.`,
        `Take another name; apprentice-worker user key ${name} makes a new key for that one.`,
      );
    if (users.length >= MAX_USERS)
      throw new ApprenticeError('queue_full', `There are ${MAX_USERS} users already.`, 'Remove one first.');
    return [...users, user];
  });
  return { user, key };
}

/** A new key in the place of a user's old one, which opens nothing any more. Throws `not_found`. */
export function replaceKey(home: string, name: string): { user: User; key: string } {
  const key = madeKey();
  const user: User = { ...userNamed(readUsers(home), name), keySha256: keySha256(key) };
  change(home, (users) => {
    userNamed(users, name);
    return users.map((one) => (one.name === name ? user : one));
  });
  return { user, key };
}

/** Takes a user's name and key out of the file; the folder is the caller's. Throws `not_found`. */
export function removeUser(home: string, name: string): User {
  const user = userNamed(readUsers(home), name);
  change(home, (users) => users.filter(({ id }) => id !== user.id));
  return user;
}

/** Throws `not_found`, with the names that there are. */
export function userNamed(users: readonly User[], name: string): User {
  const user = users.find((one) => one.name === name);
  if (user !== undefined) return user;
  const known = users.map((one) => one.name).join(', ') || 'none';
  throw new ApprenticeError(
    'not_found',
    `There is no user ${JSON.stringify(name)}.`,
    name === FIRST_USER
      ? `The worker's own key cannot be removed: delete worker-key in its home folder to have another made.`
      : `There are: ${known}.`,
  );
}

function madeKey(): string {
  return randomBytes(32).toString('base64url');
}

function fileIn(home: string): string {
  return join(home, 'users.json');
}

/** The file that takes the place of the old one is the lock, too: two changes at once take turns. */
function change(home: string, edit: (users: User[]) => User[]): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const file = fileIn(home);
  const next = `${file}.tmp`;
  const handle = take(next);
  try {
    try {
      const content: z.input<typeof UserFile> = { format: 1, users: edit(readUsers(home)) };
      writeSync(handle, `${JSON.stringify(content, null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(next, file);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}

function take(path: string): number {
  const sinceMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (sinceMs !== undefined && Date.now() - sinceMs > STALE_LOCK_MS) rmSync(path, { force: true });
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    throw new ApprenticeError(
      'invalid_request',
      'Another apprentice-worker user command is changing the users now.',
      'Try again in some seconds.',
      { cause: error },
    );
  }
}

function unreadable(file: string, cause: unknown): ApprenticeError {
  const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
  return new ApprenticeError(
    'setup_failed',
    `${file} cannot be read: ${why}.`,
    'Mend it, or delete it to have no users but the first.',
    { cause },
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
