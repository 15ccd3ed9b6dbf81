/**
 * Keeps content from being read as control tokens when a chat template is rendered around it.
 *
 * A guard (a private-use character that occurs in none of the texts) is put inside every control token's text found
 * in a content, and at an edge of it that could complete one together with the template's own text. Control tokens
 * are then cut out of the rendered text, and guards dropped from what is plain. The ids of contents without such
 * text are exactly those of the ordinary way, merges across the seams of template and content included.
 */
import { ApprenticeError } from '../protocol/errors.ts';

/** For one model's control tokens. Built once: a vocabulary may have hundreds, and a request thousands of strings. */
export class ControlGuard {
  /** At every place where a control token begins, its first character; overlapping ones are all found. */
  readonly #begins: RegExp | null;
  readonly #heads = new Set<string>();
  readonly #tails = new Set<string>();
  readonly #longest: number;

  constructor(controls: readonly string[]) {
    const texts = controls.map(escapeRegExp).join('|');
    this.#begins = controls.length === 0 ? null : new RegExp(`(?=${texts})[^]`, 'g');
    this.#longest = Math.max(0, ...controls.map((control) => control.length));
    for (const control of controls) {
      for (let cut = 1; cut < control.length; cut++) {
        this.#heads.add(control.slice(0, cut));
        this.#tails.add(control.slice(cut));
      }
    }
  }

  /** Every string in `value`, keys of objects included, guarded; everything else as it is. */
  deep(value: unknown, guard: string): unknown {
    if (typeof value === 'string') return this.text(value, guard);
    if (Array.isArray(value)) return value.map((one) => this.deep(one, guard));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [this.text(key, guard), this.deep(one, guard)]),
    );
  }

  text(content: string, guard: string): string {
    if (this.#begins === null) return content;
    const guarded = content.replace(this.#begins, (first) => `${first}${guard}`);
    let [before, after] = ['', ''];
    for (let length = 1; length < this.#longest && length <= guarded.length; length++) {
      if (this.#tails.has(guarded.slice(0, length))) before = guard;
      if (this.#heads.has(guarded.slice(-length))) after = guard;
    }
    return `${before}${guarded}${after}`;
  }
}

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
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
