/** The worker's one key: from the environment, else made once and kept, so that what was paired stays so. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';
import { WorkerKey } from '../../agent-server/protocol/pairing.ts';

const FILE = 'worker-key';

/** Throws `invalid_request` for a key that is too short or holds what no header can carry. */
export function workerKey(home: string, env: NodeJS.ProcessEnv): string {
  const given = env['APPRENTICE_WORKER_KEY'];
  if (given !== undefined && given !== '') return checked(given, 'APPRENTICE_WORKER_KEY');
  const file = join(home, FILE);
  const kept = read(file);
  if (kept !== undefined) {
    if (process.platform !== 'win32') chmodSync(file, 0o600);
    return checked(kept.trim(), file);
  }
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const made = randomBytes(32).toString('base64url');
  // For nobody else from its first byte.
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${made}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, file);
  return made;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function checked(key: string, where: string): string {
  if (WorkerKey.safeParse(key).success) return key;
  throw new ApprenticeError(
    'invalid_request',
    `The key in ${where} is none: 16 to 200 letters, digits and -._~+/= are wanted.`,
    'Delete it to have one made.',
  );
}
