/** Sizes of what is installed: the .vsix and its bundles. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packagedExtension } from '../../e2e/harness/code-server.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

export interface Sizes {
  vsixBytes: number;
  /** By name. */
  bundleBytes: Record<string, number>;
}

export function measureSizes(): Sizes {
  const dist = join(repositoryRoot, '.apprentice', 'package', 'dist');
  const bundles = readdirSync(dist).filter((name) => /\.[cm]?js$/.test(name));
  return {
    vsixBytes: statSync(packagedExtension).size,
    bundleBytes: Object.fromEntries(bundles.map((name) => [name, statSync(join(dist, name)).size])),
  };
}
