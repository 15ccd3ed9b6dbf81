/** Every text of the extension for people has its German one, and no translation is left over. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { repositoryRoot } from '../../fixtures/runtime.ts';

const Texts = z.record(z.string(), z.string().min(1));
const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const texts = (path: string): Record<string, string> => Texts.parse(JSON.parse(read(path)));

/** `l10n.t('...')`, and `t('...')` in the page and in the pure files that are handed it. */
const CALL = /\b(?:l10n\.)?t\(\s*/g;
const LITERAL = /'((?:[^'\\\n]|\\.)*)'/y;

function usedTexts(): Set<string> {
  const used = new Set<string>();
  for (const file of globSync('extension/**/*.ts', { cwd: repositoryRoot })) {
    // Where `t` of the page is made.
    if (file.endsWith('l10n.ts')) continue;
    const source = read(file);
    for (const { index, 0: call } of source.matchAll(CALL)) {
      LITERAL.lastIndex = index + call.length;
      const literal = LITERAL.exec(source)?.[1];
      assert.ok(literal !== undefined, `${file}: a text that is no plain literal cannot be translated`);
      used.add(literal.replaceAll(/\\(.)/g, '$1'));
    }
  }
  return used;
}

const placeholders = (text: string): string[] => (text.match(/\{\d+\}/g) ?? []).toSorted();

test('L10N-1: the German bundle has exactly the texts that the code uses, with their placeholders', () => {
  const german = texts('l10n/bundle.l10n.de.json');
  const used = usedTexts();
  assert.ok(used.size > 50);
  assert.deepEqual(Object.keys(german).toSorted(), [...used].toSorted());
  for (const [english, translated] of Object.entries(german))
    assert.deepEqual(placeholders(translated), placeholders(english), english);
});

test('L10N-1: package.json names its texts, and both languages have just those', () => {
  const manifest: unknown = JSON.parse(read('package.json'));
  const named = new Set<string>();
  const raw: string[] = [];
  const SHOWN = /^(title|description|markdownDescription|patternErrorMessage|altText)$/;
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'string') {
      const key = /^%(.+)%$/.exec(value)?.[1];
      if (key !== undefined) named.add(key);
      else if (SHOWN.test(name) || name === 'enumDescriptions') raw.push(value);
    } else if (Array.isArray(value)) for (const one of value) walk(one, name);
    else if (typeof value === 'object' && value !== null)
      for (const [key, one] of Object.entries(value)) walk(one, key);
  };
  walk(manifest, '');
  assert.deepEqual(raw, [], 'texts that cannot be translated');
  const english = texts('package.nls.json');
  const german = texts('package.nls.de.json');
  assert.deepEqual(Object.keys(english).toSorted(), [...named].toSorted());
  assert.deepEqual(Object.keys(german).toSorted(), [...named].toSorted());
  const links = (text: string): string[] => text.match(/\(command:[^)]+\)/g) ?? [];
  for (const [key, text] of Object.entries(german))
    assert.deepEqual(links(text), links(english[key] ?? ''), key);
});
