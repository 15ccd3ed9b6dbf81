/**
 * `apprentice-worker user add | list | key | remove`: who may use the worker of a home folder. Works on `users.json`
 * whether the worker runs or not; a running one follows within a second (users/users.ts).
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { WeightVersion } from '../../agent-server/protocol/ids.ts';
import { formatPairing } from '../../agent-server/protocol/pairing.ts';
import {
  addUser,
  readUsers,
  removeUser,
  replaceKey,
  type User,
  userHome,
  userNamed,
} from '../users/user-file.ts';
import { certificateFor } from './certificate.ts';
import { type Options, readOptions, workerUrl } from './options.ts';

/** What removing needs besides the name. */
const YES = '--yes';

/**
 * `args`: what stands after `user`, `write`: where it is said. Returns the exit status. Throws `invalid_request` and
 * `not_found` for what it cannot do.
 */
export async function userCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  write: (text: string) => void,
): Promise<number> {
  const [verb, ...rest] = args;
  const { name, options, yes } = parse(rest, env);
  switch (verb) {
    case 'list':
      if (name !== null || yes) throw wrong('user list takes no name');
      list(options.home, write);
      return 0;
    case 'add':
    case 'key': {
      if (name === null || yes) throw wrong(`user ${verb} takes one name`);
      const lineOf = pairingLines(options);
      const { key } = verb === 'add' ? addUser(options.home, name) : replaceKey(options.home, name);
      write(
        `${verb === 'add' ? `${name} may use this worker.` : `${name} has a new key; the old one opens nothing any more.`}\n` +
          'The line for "Apprentice: Connect Remote Worker" in VS Code. It holds the key, which is not kept here and is shown only now:\n\n' +
          `${lineOf(key)}\n\n`,
      );
      return 0;
    }
    case 'remove':
      if (name === null) throw wrong('user remove takes one name');
      return remove(options.home, name, yes ? 'now' : 'ask', write);
    default:
      throw wrong(`there is no "user ${verb ?? ''}"`);
  }
}

function parse(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): { name: string | null; options: Options; yes: boolean } {
  const [first, ...rest] = args;
  const named = first !== undefined && !first.startsWith('-');
  const flags = named ? rest : [...args];
  return {
    name: named ? first : null,
    options: readOptions(
      flags.filter((flag) => flag !== YES),
      env,
    ),
    yes: flags.includes(YES),
  };
}

/** The flags are those that the worker is started with: they say under which name it is reached. */
function pairingLines(options: Options): (key: string) => string {
  if (options.port === 0) throw wrong('the line needs the port that the worker listens on: --port');
  const certificate = certificateFor(options);
  const url = workerUrl(options, options.port, certificate !== null);
  return (key) => formatPairing({ url, key, sha256: certificate?.sha256 ?? null });
}

function list(home: string, write: (text: string) => void): void {
  const users = readUsers(home);
  for (const user of users)
    write(`${user.name.padEnd(32)}  since ${user.createdAt.slice(0, 10)}  ${holdingText(home, user)}\n`);
  write(
    users.length === 0
      ? 'No users but the first, whose key is worker-key.\n'
      : 'And the first, whose key is worker-key.\n',
  );
}

/** Says what is lost, and deletes it once that has been agreed to. */
async function remove(
  home: string,
  name: string,
  when: 'now' | 'ask',
  write: (text: string) => void,
): Promise<number> {
  const user = userNamed(readUsers(home), name);
  const lost = holdingText(home, user);
  if (when === 'ask') {
    write(
      `Removing ${name} ends that key and what it is doing, and deletes ${lost}.\n` +
        `${name}'s own machine keeps every version that it fetched. Nothing is removed yet: say so with ${YES}.\n`,
    );
    return 1;
  }
  removeUser(home, name);
  // A worker that runs does the same once it has ended what is under way.
  await rm(userHome(home, user), { recursive: true, force: true, maxRetries: 5 });
  write(`${name} is removed. Deleted: ${lost}.\n`);
  return 0;
}

function holdingText(home: string, user: User): string {
  const folder = userHome(home, user);
  const versions = namesIn(join(folder, 'adapters')).filter((one) => WeightVersion.safeParse(one).success);
  const count = `${versions.length} version${versions.length === 1 ? '' : 's'}`;
  return `${count}, ${(sizeOf(folder) / 1e6).toFixed(1)} MB in ${folder}`;
}

/** Bytes in all; what goes while it is counted counts nothing. */
function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  return namesIn(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function wrong(what: string): ApprenticeError {
  return new ApprenticeError('invalid_request', `${what}.`, 'See apprentice-worker --help.');
}
