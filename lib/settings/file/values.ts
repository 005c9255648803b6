// Reads the value of an option from a node of a file. Texts are read as on the command line; a number, true or false, a
// list and an object stand for such texts where the schema of the kind has them. Pure.

import { isDeepStrictEqual } from 'node:util';
import { faultIn, type Kind } from '../kinds.ts';
import type { Schema } from '../schema.ts';
import type { JsonNode } from './json-text.ts';

const MOST_SHOWN = 100;

/** The value; `undefined` if the kind has no such one. */
export function readNode<T>(kind: Kind<T, string>, node: JsonNode): T | undefined {
  if (!typesOf(kind.schema).has(typeOf(node))) return undefined;
  switch (node.type) {
    case 'scalar':
      return readScalar(kind, node.value);
    case 'array':
      return readList(kind, node.items);
    case 'object':
      return readEntries(kind, node);
  }
}

/** The end of the message about a node that is not read: what is wrong within its text or its list of texts. */
export function faultOf(kind: Kind<unknown, string>, node: JsonNode): string {
  const nodes = node.type === 'array' ? node.items : [node];
  const texts = nodes.map((one) => (one.type === 'scalar' && typeof one.value === 'string' ? one.value : undefined));
  return texts.includes(undefined) ? '' : faultIn(kind, texts.join(','));
}

/** The words of a command; `undefined` if they are none. */
export function readWords(node: JsonNode): readonly string[] | undefined {
  if (node.type !== 'array') return undefined;
  const words = node.items.map((item) => (item.type === 'scalar' ? item.value : undefined));
  const areWords = words.every((word) => typeof word === 'string' && !word.includes('\0'));
  return areWords && words.length > 0 && words[0] !== '' ? (words as string[]) : undefined;
}

/** The start of a value, as JSON. */
export function shownNode(node: JsonNode): string {
  const text = JSON.stringify(plain(node));
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function plain(node: JsonNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'array') return node.items.map(plain);
  return Object.fromEntries(node.members.map(({ name, value }) => [name, plain(value)]));
}

function readScalar<T>(kind: Kind<T, string>, value: string | number | boolean | null): T | undefined {
  if (typeof value === 'boolean') return kind.read(value ? 'on' : 'off');
  return kind.read(String(value));
}

// A comma within an entry would make two of it.
function readList<T>(kind: Kind<T, string>, items: readonly JsonNode[]): T | undefined {
  const texts = items.map((item) => (item.type === 'scalar' ? item.value : undefined));
  if (!texts.every((text) => typeof text === 'string' || typeof text === 'number')) return undefined;
  const { repeated } = kind;
  if (repeated === undefined) {
    const isWhole = texts.length > 0 && texts.every((text) => !String(text).includes(','));
    return isWhole ? kind.read(texts.join(',')) : undefined;
  }
  const values = texts.map((text) => kind.read(String(text)));
  return values.includes(undefined) ? undefined : repeated.join(values as T[]);
}

function readEntries<T>(kind: Kind<T, string>, { members }: Extract<JsonNode, { type: 'object' }>): T | undefined {
  const values = members.map(({ name, value }) => {
    if (value.type !== 'scalar' || typeof value.value !== 'string') return undefined;
    const entry = new Map([[name, value.value]]) as T;
    // An entry is right if it is read again as what it is.
    const read = kind.read(kind.write(entry));
    return isDeepStrictEqual(read, entry) ? read : undefined;
  });
  return values.includes(undefined) ? undefined : kind.repeated?.join(values as T[]);
}

function typeOf(node: JsonNode): string {
  if (node.type !== 'scalar') return node.type;
  return node.value === null ? 'null' : typeof node.value;
}

// The types of JSON that a schema allows.
function typesOf({ type, enum: values = [], const: only, anyOf = [] }: Schema): Set<string> {
  return new Set([
    ...(type === undefined ? [] : [type === 'integer' ? 'number' : type]),
    ...(only === undefined ? [] : [typeof only]),
    ...values.map((value) => typeof value),
    ...anyOf.flatMap((schema) => [...typesOf(schema)]),
  ]);
}
