// A number that stands for what a request asks: its method, its target with the query, its key if it has one, and its
// body. Two requests that ask the same have the same fingerprint, whoever sends them and whenever.

// Two lanes of 32 bits, each with a multiplier of its own (Knuth, TAOCP 3, 6.4; Steele and Vigna, 2021).
const MULTIPLIER = 0x9e3779b1;
const OTHER_MULTIPLIER = 0x915f77f5;
const HIGH_BITS = 20;

/** What is asked. */
export interface Question {
  readonly method: string;
  /** Its path and query. */
  readonly target: string;
  /** `undefined` if the request goes by its id, which says nothing about what it asks. */
  readonly key: number | undefined;
  /** The body in pieces of any size, if all of it is known. */
  readonly body: readonly Uint8Array[];
  /** Stands for a body that is not known: its length, or any number that no length is. */
  readonly mark: number;
}

/**
 * A whole number from 1 to 2^52. It is no secret and no proof: whoever wants two requests to have one fingerprint
 * can make them so, and gains nothing that another target would not give.
 */
export function fingerprint({ method, target, key, body, mark }: Question): number {
  let low = 0;
  let high = 0;
  const add = (unit: number) => {
    low = Math.imul(low ^ unit, MULTIPLIER);
    low ^= low >>> 15;
    high = Math.imul(high ^ unit, OTHER_MULTIPLIER);
    high ^= high >>> 13;
  };
  // The length before each text keeps `ab` and `c` apart from `a` and `bc`.
  for (const text of [method, target, key === undefined ? '' : String(key), String(mark)]) {
    add(text.length);
    for (let at = 0; at < text.length; at++) add(text.charCodeAt(at));
  }
  for (const piece of body) for (const byte of piece) add(byte);
  return (high >>> (32 - HIGH_BITS)) * 2 ** 32 + (low >>> 0) + 1;
}
