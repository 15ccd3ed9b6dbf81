/** Another extension beside the one under test, packaged for VS Code's own installer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVSIX } from '@vscode/vsce';
import { repositoryRoot } from '../../fixtures/runtime.ts';

export interface Companion {
  vsix: string;
  remove: () => void;
}

/** `name`: a folder of test/fixtures with a package.json. */
export async function packCompanion(name: string): Promise<Companion> {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-companion-'));
  const vsix = join(folder, `${name}.vsix`);
  const cwd = join(repositoryRoot, 'test', 'fixtures', name);
  await createVSIX({
    cwd,
    packagePath: vsix,
    dependencies: false,
    allowMissingRepository: true,
    skipLicense: true,
  });
  return { vsix, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
