/** What package.json says of settings, commands and workspaces is whole, in one style, and what the code does. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const Named = z.string().regex(/^%[\w.]+%$/, 'a text of package.nls.json');

const Common = { scope: z.enum(['machine', 'resource', 'window']), order: z.int().positive() };
const Described = { ...Common, markdownDescription: Named };
/** Every kind of setting says what it takes: a value that is none is marked where it is typed. */
const Setting = z.union([
  z.strictObject({
    ...Described,
    type: z.literal('string'),
    default: z.string(),
    pattern: z.string().startsWith('^').endsWith('$'),
    patternErrorMessage: Named,
  }),
  z
    .strictObject({
      ...Described,
      type: z.literal('string'),
      default: z.string(),
      enum: z.array(z.string()).min(2),
      enumDescriptions: z.array(Named),
    })
    .refine((one) => one.enum.length === one.enumDescriptions.length && one.enum.includes(one.default)),
  z.strictObject({ ...Described, type: z.literal('boolean'), default: z.boolean() }),
  z
    .strictObject({
      ...Described,
      type: z.enum(['number', 'integer']),
      default: z.number(),
      minimum: z.number(),
      maximum: z.number(),
    })
    .refine((one) => one.default >= one.minimum && one.default <= one.maximum),
  z.strictObject({
    ...Described,
    type: z.literal('array'),
    default: z.array(z.string()),
    maxItems: z.int(),
    uniqueItems: z.boolean(),
    items: z.object({ type: z.literal('string'), minLength: z.int(), maxLength: z.int() }),
  }),
  // One that is on its way out says what took its place (CONTRIBUTING.md, "Settings").
  z.looseObject({ markdownDeprecationMessage: Named }),
]);

const Command = z.strictObject({
  command: z.string().regex(/^apprentice\.[a-z][A-Za-z]*$/),
  title: Named,
  category: z.literal('Apprentice'),
  icon: z
    .string()
    .regex(/^\$\([a-z-]+\)$/)
    .optional(),
});
const Manifest = z.looseObject({
  extensionKind: z.array(z.string()),
  activationEvents: z.array(z.string()),
  capabilities: z.strictObject({
    untrustedWorkspaces: z.strictObject({ supported: z.literal('limited'), description: Named }),
    virtualWorkspaces: z.strictObject({ supported: z.literal(false), description: Named }),
  }),
  contributes: z.looseObject({
    commands: z.array(Command),
    configuration: z.array(
      z.strictObject({ title: Named, order: z.int(), properties: z.record(z.string(), Setting) }),
    ),
  }),
});
const manifest = Manifest.parse(JSON.parse(read('package.json')));
const { commands, configuration } = manifest.contributes;
const words = z.record(z.string(), z.string()).parse(JSON.parse(read('package.nls.json')));
const sources = globSync('extension/**/*.ts', { cwd: repositoryRoot })
  .filter((file) => !file.startsWith(join('extension', 'webview')))
  .map((file) => ({ file, text: read(file) }));

test('SETTING-1: settings are grouped and ordered, and each is described and says what it takes', () => {
  const groups = configuration.map(({ order }) => order);
  assert.deepEqual(
    groups,
    groups.toSorted((a, b) => a - b),
    'groups in their order',
  );
  assert.equal(new Set(groups).size, groups.length);
  for (const { properties } of configuration) {
    const live = Object.values(properties).filter((one) => 'order' in one);
    assert.deepEqual(
      live.map(({ order }) => order),
      live.map((_, index) => index + 1),
    );
    for (const key of Object.keys(properties)) assert.match(key, /^apprentice(\.[a-z][A-Za-z]*)+$/);
  }
});

test('SETTING-2: settings are read in one place, all of them, by a typed reading', () => {
  const readers = sources.filter(({ text }) => text.includes('getConfiguration('));
  assert.deepEqual(
    readers.map(({ file }) => file),
    [join('extension', 'settings.ts')],
  );
  const reading = readers[0]?.text ?? '';
  for (const { properties } of configuration)
    for (const key of Object.keys(properties))
      assert.ok(reading.includes(`'${key.replace(/^apprentice\./, '')}'`), `${key} is read by nobody`);
});

test('SETTING-3: a repository cannot name a program or a folder: such a setting is of the machine alone', () => {
  for (const { properties } of configuration)
    for (const [key, one] of Object.entries(properties))
      if ('pattern' in one) assert.equal(one.scope, 'machine', key);
});

test('COMMAND-1: every command has a title in one style, a category and something that it does', () => {
  assert.ok(commands.length > 10);
  const titles = commands.map(({ title }) => words[title.replaceAll('%', '')] ?? '');
  const small = /^(a|an|and|as|for|from|in|of|or|the|to|with)$/;
  for (const title of titles) {
    const [first = '', ...rest] = title.replace(/…$/, '').split(' ');
    for (const word of [first, ...rest.filter((one) => !small.test(one))])
      assert.match(word, /^[A-Z][A-Za-z]*$/, `"${title}": words with capitals, no full stop`);
  }
  assert.equal(new Set(titles).size, titles.length, 'two commands of one title');
  for (const { command } of commands) {
    const named = sources.some(({ text }) => text.includes(`'${command}'`));
    assert.ok(named, `nothing does ${command}`);
  }
});

test('COMMAND-2: menus and keys name commands that there are', () => {
  const known = new Set(commands.map(({ command }) => command));
  const Entries = z.array(z.looseObject({ command: z.string() }));
  const { menus, keybindings } = manifest.contributes;
  const named = [
    ...Object.values(z.record(z.string(), Entries).parse(menus)).flat(),
    ...Entries.parse(keybindings),
  ];
  assert.ok(named.length > 0);
  for (const { command } of named) assert.ok(known.has(command), command);
});

test('WINDOW-1: the extension runs where the workspace is, starts behind everything else, and says why not without files', () => {
  assert.deepEqual(manifest.extensionKind, ['workspace']);
  assert.deepEqual(manifest.activationEvents, ['onStartupFinished']);
  // VS Code shows this word where it turns the extension off.
  const { description } = manifest.capabilities.virtualWorkspaces;
  assert.match(words[description.replaceAll('%', '')] ?? '', /needs files on disk/);
});
