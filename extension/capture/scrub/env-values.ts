/**
 * Which values of an `.env` file are secrets, and cutting them out of a text. Pure. A value that anybody could write
 * (a word, a number, an address without credentials) is none: cut out, it would take ordinary code with it.
 */
import { parseEnv } from 'node:util';
import { PLACEHOLDER } from './patterns.ts';

const MIN_CHARS = 8;
const MAX_CHARS = 4_000;
/** A line of a value that has several: a key in PEM form stands in a diff line by line. */
const MIN_LINE_CHARS = 16;
const MAX_VALUES = 500;

const SECRET_NAME = /pass|secret|token|key|auth|credential|private|salt|cert|dsn|webhook|signature/i;
/** Words, booleans, and several of them joined as names and texts are. */
const WORDS = /^[a-z]+(?:[\s._:/,-]+[a-z]+)*[.!?]?$/i;
/** Numbers, dates, versions, durations, addresses of four numbers. */
const NUMBERS = /^v?\d[\d.,:_+T/ -]*(?:ms|s|m|h|d|kb|mb|gb|%|z)?$/i;
/** Paths, hosts, addresses and hyphenated names: what says where something is. */
const PLACE = /^(?:[a-z][a-z0-9+.-]*:\/\/|\.{0,2}\/|~\/|[a-z]:\\)?[\w.:\\/-]*$/i;

/** The values in the text of an `.env` file that are to be cut out wherever they stand, longest first. */
export function secretValues(text: string): string[] {
  const values = Object.entries(parseEnv(text)).flatMap(([name, value]) =>
    value !== undefined && isSecret(name, value) ? [value, ...longLines(value)] : [],
  );
  return mergeValues([values]);
}

/** One list of several, bounded, longest first: what is within another must not be cut out of it. */
export function mergeValues(lists: Iterable<readonly string[]>): string[] {
  return [...new Set([...lists].flat())].toSorted((a, b) => b.length - a.length).slice(0, MAX_VALUES);
}

/** `text` without these values, which are in the order of `mergeValues`. */
export function cutValues(text: string, values: readonly string[]): string {
  return values.reduce((left, value) => left.replaceAll(value, PLACEHOLDER), text);
}

function isSecret(name: string, value: string): boolean {
  if (value.length < MIN_CHARS || value.length > MAX_CHARS) return false;
  if (WORDS.test(value) || NUMBERS.test(value)) return false;
  // What says where something is may still hold a key, as a webhook's address does.
  return (
    SECRET_NAME.test(name) || !PLACE.test(value) || /[A-Za-z0-9_-]{20,}/.test(value) || !hasSeparator(value)
  );
}

/** `hunter22` is a password, `eu-west-1` is a place. */
function hasSeparator(value: string): boolean {
  return /[-./:\\]/.test(value);
}

function longLines(value: string): string[] {
  const lines = value.split('\n').map((line) => line.trim());
  return lines.length > 1 ? lines.filter((line) => line.length >= MIN_LINE_CHARS) : [];
}
