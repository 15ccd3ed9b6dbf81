/**
 * A reader of XML as test reports write it: tags, attributes, text, CDATA. No document type, no entities but the
 * five of XML and numbers, nothing is ever loaded. It takes a document that is cut anywhere, which is why no
 * parser of whole documents stands here: those refuse what is not well-formed.
 */

export type XmlEvent =
  | { readonly kind: 'open'; readonly name: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string };

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** The events from `start` on. Every character is looked at a bounded number of times. */
export function* xmlEvents(text: string, start: number): Generator<XmlEvent> {
  let at = start;
  while (at < text.length) {
    const open = text.indexOf('<', at);
    const end = open === -1 ? text.length : open;
    if (end > at) yield { kind: 'text', text: decode(text.slice(at, end)) };
    if (open === -1) return;
    if (text.startsWith('<![CDATA[', open)) {
      const close = indexOrEnd(text, ']]>', open);
      yield { kind: 'text', text: text.slice(open + 9, close) };
      at = close + 3;
    } else if (text.startsWith('<!--', open)) at = indexOrEnd(text, '-->', open) + 3;
    else if (text[open + 1] === '?' || text[open + 1] === '!') at = indexOrEnd(text, '>', open) + 1;
    else {
      const close = endOfTag(text, open);
      yield* tagEvents(text.slice(open + 1, close));
      at = close + 1;
    }
  }
}

function* tagEvents(tag: string): Generator<XmlEvent> {
  const name = /^\/?([\w:.-]+)/.exec(tag)?.[1];
  if (name === undefined) return;
  if (tag.startsWith('/')) {
    yield { kind: 'close', name };
    return;
  }
  const attributes = new Map<string, string>();
  for (const [, key = '', double, single] of tag.matchAll(ATTRIBUTE)) {
    attributes.set(key, decode(double ?? single ?? ''));
  }
  yield { kind: 'open', name, attributes };
  if (tag.endsWith('/')) yield { kind: 'close', name };
}

/** Where the tag ends: the next `>` outside quotes. */
function endOfTag(text: string, open: number): number {
  let quote = '';
  for (let at = open + 1; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '>') return at;
  }
  return text.length;
}

function indexOrEnd(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? text.length : at;
}

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(\w{2,4}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
