/**
 * Bundles what ships into dist/: the extension, its webview, the agent-server, the gpu-worker (as a child, and
 * as a program of its own) and the worker's Python files. `--production` minifies and leaves out source maps; `--only=NAME,NAME` builds some of them;
 * `--out=DIR` writes elsewhere.
 */
import { existsSync } from 'node:fs';
import { chmod, cp, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    production: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string', default: join(root, 'dist') },
  },
});
const only = values.only?.split(',');

/** CommonJS dependencies inside an ES module call `require`, which Node gives no module of that kind. */
const requireBanner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};
/** zod carries its messages in 50 languages; Apprentice speaks one. 260 KB less in each bundle. */
const englishOnly = {
  name: 'english-only',
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** Bundles of their own, loaded when they are first needed, so that activation does not pay for them. */
const LAZY = {
  main: 'main',
  session: 'session',
  screen: 'screen',
  'inline-edits': 'inline-edits',
  'library-rules': 'secrets',
  agent: 'agent',
};
const lazyParts = {
  name: 'lazy-parts',
  setup(build) {
    for (const [source, bundle] of Object.entries(LAZY)) {
      build.onResolve({ filter: new RegExp(`/${source}\\.ts$`) }, ({ kind }) =>
        kind === 'dynamic-import' ? { path: `./${bundle}.cjs`, external: true } : null,
      );
    }
  },
};

const node = { platform: 'node', target: 'node22', external: ['bufferutil', 'utf-8-validate'] };

const bundles = {
  extension: {
    entryPoints: ['extension/activate.ts'],
    outfile: 'extension.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    plugins: [lazyParts],
  },
  main: {
    entryPoints: ['extension/main.ts'],
    outfile: 'main.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    // zod looks for Cloudflare in it; VS Code reports every look at this global as an error.
    define: { navigator: 'undefined' },
    plugins: [englishOnly, lazyParts],
  },
  session: {
    entryPoints: ['extension/session.ts'],
    outfile: 'session.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
  },
  screen: {
    entryPoints: ['extension/capture/runs/screen.ts'],
    outfile: 'screen.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
  },
  secrets: {
    entryPoints: ['extension/capture/scrub/library-rules.ts'],
    outfile: 'secrets.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
  },
  'inline-edits': {
    entryPoints: ['extension/review/inline-edits.ts'],
    outfile: 'inline-edits.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
  },
  agent: {
    entryPoints: ['extension/agent/agent.ts'],
    outfile: 'agent.cjs',
    ...node,
    format: 'cjs',
    target: 'node20',
    // A package with a binary: it is copied as it is, below.
    external: ['vscode', '@lydell/node-pty'],
    plugins: [englishOnly, lazyParts],
  },
  webview: {
    entryPoints: ['extension/webview/main.ts'],
    outfile: 'webview.js',
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
  },
  'agent-server': {
    entryPoints: ['agent-server/main.ts'],
    outfile: 'agent-server.mjs',
    ...node,
    format: 'esm',
    banner: requireBanner,
  },
  'gpu-worker': {
    entryPoints: ['gpu-worker/main.ts'],
    outfile: 'gpu-worker.mjs',
    ...node,
    format: 'esm',
    banner: requireBanner,
  },
  'apprentice-worker': {
    entryPoints: ['gpu-worker/cli/main.ts'],
    outfile: 'apprentice-worker.mjs',
    ...node,
    format: 'esm',
    banner: { js: `#!/usr/bin/env node\n${requireBanner.js}` },
  },
  'llama-cpp': {
    entryPoints: ['gpu-worker/engine/llama-cpp/main.ts'],
    outfile: 'llama-cpp.mjs',
    ...node,
    format: 'esm',
    banner: requireBanner,
  },
  setup: {
    entryPoints: ['gpu-worker/setup/main.mjs'],
    outfile: 'setup.mjs',
    ...node,
    format: 'esm',
    target: 'node20',
  },
};

for (const [name, options] of Object.entries(bundles)) {
  if (only && !only.includes(name)) continue;
  await build({
    absWorkingDir: root,
    bundle: true,
    minify: values.production,
    sourcemap: values.production ? false : 'linked',
    legalComments: 'none',
    plugins: [englishOnly],
    logLevel: 'warning',
    ...options,
    outfile: join(values.out, options.outfile),
  });
  // A bin of the package: run by its name.
  if (name === 'apprentice-worker') await chmod(join(values.out, options.outfile), 0o755);
  const { size } = await stat(join(values.out, options.outfile));
  console.log(`${options.outfile.padEnd(24)} ${(size / 1024).toFixed(0).padStart(6)} KB`);
}

/** node-pty, and of its binaries this platform's: where a bundle in dist/ finds them by their names. */
async function copyPty() {
  const packages = join(root, 'node_modules', '@lydell');
  const target = join(values.out, 'node_modules', '@lydell');
  await rm(target, { recursive: true, force: true });
  for (const name of ['node-pty', `node-pty-${process.platform}-${process.arch}`]) {
    const source = join(packages, name);
    if (!existsSync(source)) {
      console.warn(`There is no ${name}: the agent of this build runs no commands.`);
      continue;
    }
    // Symbols for a debugger are 10 MB on Windows.
    await cp(source, join(target, name), { recursive: true, filter: (path) => !path.endsWith('.pdb') });
  }
}

if (!only) {
  await copyPty();
  const source = join(root, 'gpu-worker', 'python', 'apprentice_worker');
  await rm(join(values.out, 'python'), { recursive: true, force: true });
  for (const name of ['requirements.txt', 'requirements-megatron.txt'])
    await cp(join(source, '..', name), join(values.out, 'python', name));
  await cp(source, join(values.out, 'python', 'apprentice_worker'), {
    recursive: true,
    filter: (path) => !relative(source, path).split(/[\\/]/).includes('__pycache__'),
  });
}
