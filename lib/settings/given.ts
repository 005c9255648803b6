// Turns an object of options, as a program gives it, into the values of all options, by the rules that hold for a
// command line. Whatever is refused is told by its key.

import { inspect, isDeepStrictEqual } from 'node:util';
import type { KeyFunction, KeySource } from '../core/request/key-source.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import { faultIn, type Kind } from './kinds.ts';
import { nearest } from './nearest.ts';
import { keyOf, OptionError, type Options, optionsOf } from './options.ts';
import { OWN_HASH } from './rules.ts';
import { OPTIONS, type Option } from './table.ts';

export interface GivenOptions {
  readonly options: Options;
  /** The hash pair, if functions were given. */
  readonly pair: HashPair | undefined;
  /** The key function, if one was given. */
  readonly keyFunction: KeyFunction | undefined;
}

/** Where the library differs from the command: it writes nothing to standard error unless it is told to. */
export const LIBRARY_DEFAULTS = { log: 'off', replicaOutput: 'off' } as const;

const KEY_IS_FUNCTION: readonly KeySource[] = [{ type: 'function' }];
const ROWS: ReadonlyMap<string, Option> = new Map(
  [...OPTIONS].filter(([, row]) => !row.ofCommand).map(([flag, row]) => [keyOf(flag, row), row]),
);
const KEYS = ['command', ...ROWS.keys()];
const MOST_WRONG_LETTERS = 3;
const MOST_SHOWN = 100;

/** Throws OptionError for an unknown key, a value out of bounds, or values that do not go together. */
export function givenOptions(given: Readonly<Record<string, unknown>>): GivenOptions {
  for (const key of Object.keys(given)) checkKey(key);
  const { command = [], key, hash } = given;
  const otherDefaults: Readonly<Record<string, unknown>> = LIBRARY_DEFAULTS;
  const keyFunction = typeof key === 'function' ? (key as KeyFunction) : undefined;
  const pair = typeof hash === 'object' && hash !== null ? (hash as HashPair) : undefined;
  const find = (name: string, row: Option) => {
    if (name === 'key' && keyFunction !== undefined) return KEY_IS_FUNCTION;
    if (name === 'hash' && pair !== undefined) return OWN_HASH;
    return given[name] === undefined ? otherDefaults[name] : readValue(name, row, given[name]);
  };
  try {
    const options = optionsOf(readCommand(command), (flag, row) => find(keyOf(flag, row), row));
    return { options, pair, keyFunction };
  } catch (error) {
    throw error instanceof OptionError ? new OptionError(inKeys(error.message)) : error;
  }
}

/** The text with keys for flags: `--reply-timeout` is `replyTimeoutMs`. */
export function inKeys(text: string): string {
  return text.replaceAll(/--([a-z][a-z-]*[a-z])/g, (written, flag: string) => {
    const row = OPTIONS.get(flag);
    return row === undefined ? written : keyOf(flag, row);
  });
}

function checkKey(key: string): void {
  if (KEYS.includes(key)) return;
  const meant = nearest(key, KEYS, MOST_WRONG_LETTERS);
  throw new OptionError(`unknown option ${key}${meant === undefined ? '' : `: did you mean ${meant}?`}`);
}

function readCommand(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.every((word) => typeof word === 'string' && !word.includes('\0'));
  if (isList && value[0] !== '') return value;
  throw new OptionError(`command takes a list of words, as ['node', 'app.js'], not ${shown(value)}`);
}

function readValue(key: string, row: Option, value: unknown): unknown {
  const { kind } = row;
  // Some defaults are the empty text, which stands for nothing and which nobody would write.
  if (!('settle' in row) && isDeepStrictEqual(value, row.otherwise)) return value;
  const read = roundTrip(kind, value) ?? readTexts(kind, value);
  if (read !== undefined) return read;
  const fault = isTexts(value) ? faultIn(kind, value.join(',')) : typeof value === 'string' ? faultIn(kind, value) : '';
  throw new OptionError(`${key} takes ${boundsOf(kind)}, not ${kind.secret ? 'that' : shown(value)}${fault}`);
}

/** Which values a program may give, in words that follow "takes". */
export function boundsOf({ bounds, placeholder, repeated }: Kind<unknown, string>): string {
  return repeated === undefined ? bounds : `a list of ${placeholder}, or an object with a text for each name`;
}

// A value is right if it can be written, and is read again as what it is.
function roundTrip(kind: Kind<unknown, string>, value: unknown): unknown {
  try {
    const written: unknown = kind.write(value);
    if (typeof written !== 'string') return undefined;
    const read = kind.read(written);
    return isDeepStrictEqual(read, value) ? read : undefined;
  } catch {
    // It is not of the type that the kind can write.
    return undefined;
  }
}

// Texts as on the command line, and lists of such texts; for an option that may be repeated, an object too.
function readTexts(kind: Kind<unknown, string>, value: unknown): unknown {
  const { repeated } = kind;
  const isList = isTexts(value);
  if (repeated === undefined) return isList ? kind.read(value.join(',')) : readText(kind, value);
  const values = isList
    ? value.map((text) => kind.read(text))
    : typeof value === 'string'
      ? repeated.split(value).map((text) => kind.read(text))
      : entriesOf(value)?.map((entry) => roundTrip(kind, new Map([entry])));
  return values === undefined || values.includes(undefined) ? undefined : repeated.join(values);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function readText(kind: Kind<unknown, string>, value: unknown): unknown {
  return typeof value === 'string' ? kind.read(value) : undefined;
}

function entriesOf(value: unknown): [unknown, unknown][] | undefined {
  if (value instanceof Map) return [...value];
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? Object.entries(value) : undefined;
}

function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
