/**
 * Keeps content from being read as control tokens when a chat template is rendered around it.
 *
 * A guard (a private-use character that occurs in none of the texts) is put inside every control token's text found
 * in a content, and at an edge of it that could complete one together with the template's own text. Control tokens
 * are then cut out of the rendered text, and guards dropped from what is plain. The ids of contents without such
 * text are exactly those of the ordinary way, merges across the seams of template and content included.
 */
import { ApprenticeError } from '../protocol/errors.ts';

/** Every string in `value`, keys of objects included, guarded; everything else as it is. */
export function guardDeep(value: unknown, controls: readonly string[], guard: string): unknown {
  if (typeof value === 'string') return guardText(value, controls, guard);
  if (Array.isArray(value)) return value.map((one) => guardDeep(one, controls, guard));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      guardText(key, controls, guard),
      guardDeep(one, controls, guard),
    ]),
  );
}

export function guardText(content: string, controls: readonly string[], guard: string): string {
  let guarded = content;
  for (const control of controls) {
    guarded = guarded.replaceAll(control, `${control.slice(0, 1)}${guard}${control.slice(1)}`);
  }
  const beginsInside = controls.some((control) =>
    anyCut(control, (cut) => guarded.startsWith(control.slice(cut))),
  );
  const endsInside = controls.some((control) =>
    anyCut(control, (cut) => guarded.endsWith(control.slice(0, cut))),
  );
  return `${beginsInside ? guard : ''}${guarded}${endsInside ? guard : ''}`;
}

/** Throws `invalid_request` when the texts use every one of Unicode's private-use characters. */
export function unusedCharacter(text: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  throw new ApprenticeError(
    'invalid_request',
    'The messages use every private-use character of Unicode.',
    'Remove the binary content.',
  );
}

function anyCut(text: string, test: (cut: number) => boolean): boolean {
  for (let cut = 1; cut < text.length; cut++) if (test(cut)) return true;
  return false;
}
