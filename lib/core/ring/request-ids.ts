// Request ids have six digits. Each is used once before any is used again, and at every moment those used are spread
// evenly over their range. They form a Weyl sequence: adding a step that shares no factor with the number of ids visits
// all of them, and a step near the golden section of that number always lands in one of the widest gaps left (Knuth,
// TAOCP 3, 6.4).

const FIRST_ID = 100_000;
export const ID_COUNT = 900_000;
// 900,000 / φ = 556,230.6; 556,231 is the nearest number above without the factors 2, 3 and 5 of 900,000.
const STEP = 556_231;
// STEP × STEP_INVERSE mod 900,000 = 1.
const STEP_INVERSE = 299_671;

/**
 * The id that comes `number` ids after the first one of that seed.
 * @param seed any whole number from 0 to 2^32. @param number the same.
 */
export function requestIdAt(seed: number, number: number): number {
  return FIRST_ID + moduloIds((seed % ID_COUNT) + number * STEP);
}

/**
 * The position of an id in the sequence, 0 … 899999: consecutive ids have consecutive positions. Any 32-bit key has
 * one.
 */
export function placeOfRequestId(key: number): number {
  return moduloIds((key + ID_COUNT - FIRST_ID) * STEP_INVERSE);
}

// This is value % ID_COUNT, which is exact below 2^53, without the slow path that % takes beyond 32 bits.
function moduloIds(value: number): number {
  const rest = value - Math.floor(value * (1 / ID_COUNT)) * ID_COUNT;
  // For a multiple of ID_COUNT the quotient may come out just below the integer that it is.
  return rest === ID_COUNT ? 0 : rest;
}
