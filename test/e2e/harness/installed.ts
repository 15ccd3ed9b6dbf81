/** The extension as VS Code's own installer has unpacked it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Profile } from './profile.ts';

export interface InstalledFile {
  /** Relative, with slashes. */
  path: string;
  bytes: number;
  text: () => string;
}

export function installedFiles({ extensions }: Profile): InstalledFile[] {
  const [folder, ...more] = readdirSync(extensions).filter((name) =>
    name.startsWith('apprentice.apprentice-'),
  );
  if (folder === undefined || more.length > 0) throw new Error(`Not one Apprentice in ${extensions}.`);
  const root = join(extensions, folder);
  return readdirSync(root, { encoding: 'utf8', recursive: true })
    .map((name) => ({ name, file: join(root, name) }))
    .filter(({ file }) => statSync(file).isFile())
    .map(({ name, file }) => ({
      path: name.split(sep).join('/'),
      bytes: statSync(file).size,
      text: () => readFileSync(file, 'utf8'),
    }));
}
