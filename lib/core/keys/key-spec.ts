// The text of `--key`, as `header:x-tenant+path:2,cookie:session,client`: with `,` between them the first that a
// request has decides, with `+` all must be there. Read once, into plain data; a text that is no such list is told
// where. Pure.

import type { KeyPart, KeySource } from '../request/key-source.ts';
import { patternFault } from './path-pattern.ts';

/** What is wrong with a text. */
export interface SpecFault {
  /** The entry that is wrong, and where it begins: 0 for the first character. */
  readonly entry: string;
  readonly at: number;
  readonly what: string;
}

export type ParsedSpec = { readonly sources: readonly KeySource[] } | { readonly fault: SpecFault };

const MOST_SOURCES = 16;
const MOST_PARTS = 8;
const MOST_NAMES = 16;
const MOST_SEGMENTS = 32;

export function parseKeySpec(text: string): ParsedSpec {
  const sources: KeySource[] = [];
  for (const { entry, at } of entriesOf(text, ',', 0)) {
    const fault = (what: string) => ({ fault: { entry, at, what } });
    const last = sources.at(-1);
    if (last !== undefined && isAlwaysThere(last)) {
      return fault(`nothing comes after ${writeKeySource(last)}, which every request has`);
    }
    if (sources.length === MOST_SOURCES) return fault(`there are at most ${MOST_SOURCES} sources`);
    const read = readSource(entry, at);
    if ('fault' in read) return read;
    if (read.source.type === 'learn' && sources.some(({ type }) => type === 'learn')) {
      return fault('there is one learn: at most');
    }
    sources.push(read.source);
  }
  return { sources };
}

/** The text that is read as these sources. */
export function writeKeySpec(sources: readonly KeySource[]): string {
  return sources.map(writeKeySource).join(',');
}

/** The text of one source. */
export function writeKeySource(source: KeySource): string {
  switch (source.type) {
    case 'all':
      return source.parts.map(writeKeySource).join('+');
    case 'header':
    case 'cookie':
    case 'query':
      return `${source.type}:${source.name}`;
    case 'learn':
      return `learn:cookie=${source.name}`;
    case 'segment':
      return `path:${source.number}`;
    case 'pattern':
      return `path:${source.path}`;
    case 'json':
      return `json:${source.names.join('.')}`;
    default:
      return source.type;
  }
}

type Read<T> = T | { readonly fault: SpecFault };

function readSource(text: string, at: number): Read<{ readonly source: KeySource }> {
  const entries = entriesOf(text, '+', at);
  if (entries.length === 1) return readSingle(text, at);
  const parts: KeyPart[] = [];
  for (const { entry, at: from } of entries) {
    const read = readSingle(entry, from);
    if ('fault' in read) return read;
    const { source } = read;
    if (!isPart(source)) return faultAt(entry, from, `${source.type} stands alone, not beside a +`);
    parts.push(source);
  }
  if (parts.length > MOST_PARTS) return faultAt(text, at, `there are at most ${MOST_PARTS} parts with + between them`);
  return { source: { type: 'all', parts } };
}

function readSingle(entry: string, at: number): Read<{ readonly source: KeySource }> {
  const source = sourceOf(entry);
  return typeof source === 'string' ? faultAt(entry, at, source) : { source };
}

// The source, or what is wrong with it.
function sourceOf(entry: string): KeySource | string {
  const colon = entry.indexOf(':');
  const type = colon === -1 ? entry : entry.slice(0, colon);
  const rest = colon === -1 ? undefined : entry.slice(colon + 1);
  switch (type) {
    case 'request':
    case 'client':
    case 'host':
    case 'prompt':
      return rest === undefined ? { type } : `${type} has nothing after it`;
    case 'path':
      return rest === undefined ? { type } : pathSource(rest);
    case 'header':
    case 'cookie':
    case 'query':
      return rest !== undefined && isName(rest) ? { type, name: rest } : `${type}: is followed by a name`;
    case 'json':
      return jsonSource(rest);
    case 'learn':
      return learnSource(rest);
    default:
      return entry === '' ? 'there is nothing' : 'there is no such source';
  }
}

function pathSource(rest: string): KeySource | string {
  if (rest.startsWith('/')) {
    const fault = /\s/.test(rest) ? 'a path has no blanks' : patternFault(rest);
    return fault ?? { type: 'pattern', path: rest };
  }
  const number = /^[1-9]\d?$/.test(rest) ? Number(rest) : 0;
  const isNumber = number >= 1 && number <= MOST_SEGMENTS;
  if (isNumber) return { type: 'segment', number };
  return `path: is followed by the number of a segment, 1 to ${MOST_SEGMENTS}, or by a path with {} in it`;
}

function jsonSource(rest: string | undefined): KeySource | string {
  const names = rest?.split('.') ?? [];
  const areNames = names.length > 0 && names.every((name) => /^[^\s]{1,100}$/.test(name));
  if (!areNames) return 'json: is followed by names with dots between them, as json:user.id';
  return names.length > MOST_NAMES ? `json: is followed by at most ${MOST_NAMES} names` : { type: 'json', names };
}

function learnSource(rest: string | undefined): KeySource | string {
  const name = rest?.startsWith('cookie=') ? rest.slice('cookie='.length) : '';
  return isName(name) ? { type: 'learn', name } : 'learn: is followed by cookie=NAME';
}

function isName(text: string): boolean {
  return /^[^\s;=]+$/.test(text);
}

function isPart(source: KeySource): source is KeyPart {
  return !['request', 'function', 'all', 'learn'].includes(source.type);
}

// Every request has a client, a path and an id, so a source after one of these would never be used.
function isAlwaysThere(source: KeySource): boolean {
  if (source.type === 'all') return source.parts.every(isAlwaysThere);
  return source.type === 'request' || source.type === 'client' || source.type === 'path';
}

// The entries without the blanks around them, and where they begin.
function entriesOf(text: string, separator: string, at: number): { entry: string; at: number }[] {
  let from = at;
  return text.split(separator).map((written) => {
    const entry = written.trim();
    const start = from + written.length - written.trimStart().length;
    from += written.length + separator.length;
    return { entry, at: start };
  });
}

function faultAt(entry: string, at: number, what: string): { readonly fault: SpecFault } {
  return { fault: { entry, at, what } };
}
