/** Paths that a model wrote lead into the workspace's folders, or nowhere. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { leadsOverNoLink } from '../../../../extension/agent/links.ts';
import { isConfiguration, placeIn } from '../../../../extension/agent/place.ts';

const shop = { name: 'shop', path: '/projects/shop' };
const docs = { name: 'docs', path: '/projects/docs' };

test('AGENT-2: a relative path is one of the only folder, or of the one that its first segment names', () => {
  assert.equal(placeIn('src/a.ts', [shop])?.path, '/projects/shop/src/a.ts');
  assert.equal(placeIn('./src/../b.ts', [shop])?.path, '/projects/shop/b.ts');
  assert.equal(placeIn('docs/a.md', [shop, docs])?.path, '/projects/docs/a.md');
  assert.equal(placeIn('src/a.ts', [shop, docs])?.path, '/projects/shop/src/a.ts');
  assert.equal(placeIn('/projects/docs/a.md', [shop, docs])?.folder, docs);
  assert.equal(placeIn('shop/src', [shop])?.path, '/projects/shop/shop/src');
  assert.equal(placeIn('..a/b', [shop])?.path, '/projects/shop/..a/b');
});

test('AGENT-2: what leads out of them, or into what git keeps, leads nowhere', () => {
  const out = [
    '',
    '..',
    '../shop2/a',
    'src/../../shopping/a',
    '/etc/passwd',
    '/projects/shopping/a',
    '/projects/shop/../docs/a',
    'docs/../../etc/passwd',
    'a\0b',
    '.git/hooks/pre-commit',
    'sub/.GIT/config',
    'x'.repeat(2_000),
  ];
  for (const path of out) assert.equal(placeIn(path, [shop]), null, path);
  assert.equal(placeIn('docs/../../shop/a', [shop, docs]), null);
  assert.equal(placeIn('a', []), null);
});

test('AGENT-4: what tells the editor what to run is known by its place', () => {
  const is = (path: string): boolean => {
    const place = placeIn(path, [shop]);
    assert.ok(place !== null, path);
    return isConfiguration(place);
  };
  for (const path of ['.vscode/tasks.json', 'sub/.VSCode/settings.json', 'my.code-workspace'])
    assert.equal(is(path), true, path);
  for (const path of ['vscode/tasks.json', 'src/.vscodeignore', 'code-workspace.md'])
    assert.equal(is(path), false, path);
});

test('AGENT-2: no link is followed, wherever it leads', async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'apprentice-links-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folder = { name: 'shop', path: join(root, 'shop') };
  mkdirSync(join(folder.path, 'src'), { recursive: true });
  writeFileSync(join(root, 'secret.txt'), 'theirs');
  writeFileSync(join(folder.path, 'src', 'a.ts'), 'ours');
  symlinkSync(join(root, 'secret.txt'), join(folder.path, 'out.txt'));
  symlinkSync(root, join(folder.path, 'up'));
  symlinkSync(join(folder.path, 'src'), join(folder.path, 'same'));
  symlinkSync(join(root, 'nothing'), join(folder.path, 'dangling'));
  symlinkSync(folder.path, join(root, 'opened'));
  const leads = (path: string, from = folder) =>
    leadsOverNoLink({ folder: from, path: join(from.path, path) }, join(from.path, path));
  assert.equal(await leads('src/a.ts'), true);
  // The folder itself may have been opened over a link.
  assert.equal(await leads('src/a.ts', { name: 'opened', path: join(root, 'opened') }), true);
  for (const path of ['out.txt', 'up/secret.txt', 'same/a.ts', 'dangling', 'not-there'])
    assert.equal(await leads(path), false, path);
});
