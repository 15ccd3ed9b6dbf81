/** The packaged extension in a real VS Code: it is there, whole, it asks before it learns, and nothing outlives a test. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { homedir } from 'node:os';
import { join, posix } from 'node:path';
import { after, before, describe, it } from 'node:test';
import ignore from 'ignore';
import { repositoryRoot } from '../fixtures/runtime.ts';
import { packagedExtension } from './harness/code-server.ts';
import { installedFiles } from './harness/installed.ts';
import { missingVSCode } from './harness/launch.ts';
import { openTill, type Till } from './harness/till.ts';

/** What a minified bundle loads. */
const LOADS = /\b(?:require|import)\("([@\w./:-]+)"\)|\bfrom"([@\w./:-]+)"/g;
/** ws goes on without these two. */
const OPTIONAL = ['bufferutil', 'utf-8-validate'];
/** What VS Code's installer and vsce name otherwise, or add. */
const RENAMED: Record<string, string> = {
  'readme.md': 'README.md',
  'changelog.md': 'CHANGELOG.md',
  'LICENSE.txt': 'LICENSE',
};

describe('A fresh VS Code with the packaged extension', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill();
  });
  after(() => till?.close('smoke-last'));

  it('offers the button in Source Control of a trusted folder, and starts nothing by itself', async () => {
    const { workbench, profile } = till;
    await workbench.answerTrust('trust');
    await workbench.openSourceControl();
    await workbench.button('Write Commit Message').waitFor();
    await workbench.button(/^Apprentice: not started yet/).waitFor();
    assert.equal(
      existsSync(join(profile.apprenticeHome, 'discovery.json')),
      false,
      'no agent-server was started',
    );
  });

  it('PACKAGE-1: what is installed is what the allow-list names, all of it, for this platform', () => {
    const files = installedFiles(till.profile);
    const lines = readFileSync(join(repositoryRoot, '.vscodeignore'), 'utf8').split('\n');
    const patterns = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const paths = files.map(({ path }) => RENAMED[path] ?? path).filter((path) => path !== '.vsixmanifest');
    const allowed = ignore().add(patterns);
    assert.deepEqual(
      paths.filter((path) => !allowed.ignores(path)),
      [],
      'installed, and not in the allow-list',
    );
    const unmet = patterns.filter((pattern) => !paths.some((path) => ignore().add(pattern).ignores(path)));
    assert.deepEqual(unmet, [], 'in the allow-list, and not installed');
    const [, platform] =
      /TargetPlatform="([^"]*)"/.exec(files.find(({ path }) => path === '.vsixmanifest')?.text() ?? '') ?? [];
    assert.match(platform ?? '', new RegExp(`^(${process.platform}|alpine)-${process.arch}`));
  });

  it('PACKAGE-2: its bundles have all that they load, no source map and no path of the machine that made them', () => {
    const files = installedFiles(till.profile);
    const paths = new Set(files.map(({ path }) => path));
    const bundles = files.filter(({ path }) => /^dist\/[^/]+\.[cm]?js$/.test(path));
    assert.ok(bundles.length > 5);
    for (const { path, text } of bundles) {
      const source = text();
      assert.doesNotMatch(source, /sourceMappingURL=/, path);
      for (const folder of [repositoryRoot, join(homedir(), '')])
        if (folder.split('/').length > 2) assert.ok(!source.includes(folder), `${path} names ${folder}`);
      for (const [, called, from] of source.matchAll(LOADS)) {
        const name = called ?? from ?? '';
        const known = isBuiltin(name) || name === 'vscode' || OPTIONAL.includes(name);
        const folder = posix.dirname(path);
        const there = [posix.join(folder, name), posix.join(folder, 'node_modules', name, 'package.json')];
        assert.ok(known || there.some((file) => paths.has(file)), `${path} loads ${name}`);
      }
    }
  });

  it('PACKAGE-3: its bundle of activation is under 500 KB, and so is that of its parts; the .vsix under 6 MB', () => {
    const sizes = new Map(installedFiles(till.profile).map(({ path, bytes }) => [path, bytes]));
    for (const bundle of ['dist/extension.cjs', 'dist/main.cjs'])
      assert.ok((sizes.get(bundle) ?? Number.NaN) < 500 * 1024, `${bundle}: ${sizes.get(bundle)} bytes`);
    assert.ok(statSync(packagedExtension).size < 6 * 1024 * 1024);
  });

  it('says in its view what is captured, before anything is', async () => {
    const { workbench, profile } = till;
    await workbench.openAgentImprovement();
    const panel = workbench.webview();
    await panel.getByRole('heading', { name: 'May Apprentice learn from you?' }).waitFor();
    await panel.getByText('Where it goes').waitFor();
    await panel.getByText(profile.apprenticeHome).waitFor();
    await panel.getByRole('button', { name: 'Turn learning on' }).waitFor();
  });
});

describe('A folder that the user does not trust', { skip: await missingVSCode() }, () => {
  let till: Till;

  before(async () => {
    till = await openTill((_profile, repository) => {
      repository.write('src/secret.js', 'export const secret = 1;\n');
      repository.git('add', '--all');
    });
  });
  after(() => till?.close('untrusted-last'));

  it('is not read: the command says so, and the view stays readable', async () => {
    const { workbench, profile } = till;
    await workbench.answerTrust('restrict');
    await workbench.runCommand('Apprentice: Write Commit Message');
    await workbench.page
      .getByText('Apprentice reads nothing in a workspace that you have not trusted.')
      .first()
      .waitFor();
    assert.equal(existsSync(join(profile.apprenticeHome, 'store.sqlite')), false, 'nothing was stored');
    await workbench.openAgentImprovement();
    await workbench.webview().getByText('This workspace is not trusted').waitFor();
  });
});
