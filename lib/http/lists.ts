// Reads values that are lists, `a, b ,,c` (RFC 9110, 5.6.1), and bounds how many elements a head may have. Pure. Each
// list is read once per head, not once per field. The attack: a head of 64 KiB that takes seconds
// (test/proxy/head-work.test.ts).

import { CELLS, cellOf } from './field-rules.ts';

/** The elements, trimmed and without empty ones. */
export function elementsOf(list: string): string[] {
  return list
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** Is `token`, in lower case, an element of a list in lower case? */
export function hasToken(list: string, token: string): boolean {
  return list === token || (list.includes(token) && elementsOf(list).includes(token));
}

/**
 * Names in lower case that `Connection` nominates for this hop. `undefined` if there is none, as in nearly all heads.
 */
export type Nominations = ReadonlySet<string> | undefined;

/** @param options all `Connection` values of a head in lower case, separated by commas; empty if there is none. */
export function nominations(options: string): Nominations {
  if (options === '' || options === 'keep-alive' || options === 'close') return undefined;
  const names = new Set(elementsOf(options));
  // The attack: a sender nominates a field that the next hop needs, so that it is removed.
  for (const needed of NEEDED) names.delete(needed);
  return names;
}

/** All `Connection` values of a head in lower case, separated by commas; empty if there is none. */
export function connectionOptions(fields: readonly string[]): string {
  let options = '';
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    const value = (fields[index + 1] as string).toLowerCase();
    options = options === '' ? value : `${options},${value}`;
  }
  return options;
}

const NEEDED = ['host', 'content-length', 'expect'];

/** Has the head too many fields, or too many elements in the lists that are read here? */
export function isOverfull(fields: readonly string[], maxFields: number): boolean {
  if (fields.length > 2 * maxFields) return true;
  let elements = 0;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (MAY_BE_LIST[cellOf(name, name.length)] !== 1 || !LISTS.has(name.toLowerCase())) continue;
    elements += countElements(fields[index + 1] as string);
  }
  return elements > maxFields;
}

/** Counts the elements of a list, empty ones included. */
export function countElements(list: string): number {
  let count = 1;
  for (let at = list.indexOf(','); at !== -1; at = list.indexOf(',', at + 1)) count += 1;
  return count;
}

const LISTS = new Set(['connection', 'upgrade', 'transfer-encoding', 'x-forwarded-for']);
const MAY_BE_LIST = new Uint8Array(CELLS);
for (const name of LISTS) MAY_BE_LIST[cellOf(name, name.length)] = 1;
