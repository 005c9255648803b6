// Finds one value in a body of JSON by the names that lead to it, as `metadata.user_id`. Pure.

import { JsonScanner, type Wanted } from './scanner.ts';

/** Of a text that is longer, the rest does not count. */
export const MOST_TEXT_BYTES = 1024;

/**
 * The text, the number, or the word `true` or `false` there; empty if it is null, an object, a list or not there at
 * all. Of a member that comes twice the first one counts that is not null.
 * @param pieces the body, or its beginning.
 * @param names members of objects from the outside in; a number is also that entry of a list, 0 for the first.
 */
export function fieldOf(pieces: readonly Uint8Array[], names: readonly string[]): string {
  const found: { text: string | undefined } = { text: undefined };
  scan(pieces, at(names, 0, found), () => found.text !== undefined);
  return found.text ?? '';
}

/** Scans until nothing more is wanted, or there is no more, or no JSON. */
export function scan(pieces: readonly Uint8Array[], root: Wanted, isDone: () => boolean): void {
  const scanner = new JsonScanner(root);
  for (const piece of pieces) {
    if (isDone() || scanner.state !== 'open') return;
    scanner.feed(piece, isDone);
  }
}

function at(names: readonly string[], depth: number, found: { text: string | undefined }): Wanted {
  // Once this value is passed, a second one of its name is not looked at.
  const end = () => {
    found.text ??= '';
  };
  if (depth === names.length) {
    const scalar = (text: string) => {
      found.text = text;
    };
    return { mostBytes: MOST_TEXT_BYTES, scalar, end };
  }
  const name = names[depth] as string;
  const number = /^\d{1,6}$/.test(name) ? Number(name) : -1;
  const next = () => at(names, depth + 1, found);
  let items = 0;
  return {
    mostBytes: 1,
    scalar: end,
    member: (one) => (one === name ? next() : undefined),
    item: () => (items++ === number ? next() : undefined),
    end,
  };
}
