/**
 * The page's texts in the language of VS Code. The host puts the bundle of `l10n/` into the page as data; without one,
 * and in tests, the English of the code stands. Texts are literals here as everywhere, and the same test finds them.
 */
import { z } from 'zod';

const Bundle = z.object({ locale: z.string(), texts: z.record(z.string(), z.string()) });
const ENGLISH: z.infer<typeof Bundle> = { locale: 'en', texts: {} };

const { locale: given, texts } = bundle();

/** Of dates and numbers. */
export const locale = given;

/** The text in the user's language, with `{0}`, `{1}`... replaced. */
export function t(english: string, ...values: (string | number)[]): string {
  return (texts[english] ?? english).replaceAll(/\{(\d+)\}/g, (whole, index) => {
    const value = values[Number(index)];
    return value === undefined ? whole : String(value);
  });
}

export function number(n: number): string {
  return n.toLocaleString(locale);
}

function bundle(): z.infer<typeof Bundle> {
  const element = typeof document === 'undefined' ? null : document.getElementById('l10n');
  if (element === null) return ENGLISH;
  return Bundle.safeParse(JSON.parse(element.textContent)).data ?? ENGLISH;
}
