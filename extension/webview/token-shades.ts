/** How strongly a step pushed a token, as a sign and one of four shades. Pure; drawing is token-advantages.ts's. */
import type { TokenAdvantage } from '../../agent-server/protocol/turns.ts';
import { decimal } from './format.ts';

export interface Shade {
  /** 0: not pushed, or by less than a fiftieth of the strongest. */
  sign: 1 | 0 | -1;
  /** 1 (weak) to 4 (strongest); 0 with sign 0. */
  level: 0 | 1 | 2 | 3 | 4;
}

const LEVELS = [1, 2, 3, 4] as const;
const FAINT = 0.02;

/** What the token itself was pushed by: its advantage, or the weight of a demonstration. */
export function pushOf({ advantage, weight }: TokenAdvantage): number {
  return (advantage ?? 0) + weight;
}

/** Shades relative to the strongest push of the row: advantages of two rows are not of one scale. */
export function shadesOf(tokens: readonly TokenAdvantage[]): Shade[] {
  const strongest = tokens.reduce((most, token) => Math.max(most, Math.abs(pushOf(token))), 0);
  return tokens.map((token) => {
    const push = pushOf(token);
    const share = strongest === 0 ? 0 : Math.abs(push) / strongest;
    if (share < FAINT) return { sign: 0, level: 0 };
    return { sign: push > 0 ? 1 : -1, level: LEVELS[Math.min(3, Math.floor(share * 4))] ?? 4 };
  });
}

/** `push` for a person: "+0.25". The minus is the typographical one, as wide as the plus. */
export function signedNumber(push: number): string {
  const text = decimal(Math.abs(push), Math.abs(push) >= 0.095 || push === 0 ? 2 : 3);
  return push > 0 ? `+${text}` : push < 0 ? `−${text}` : text;
}

/** A token's text with what is not seen written out. */
export function visibleToken(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll('\r', '␍');
}
