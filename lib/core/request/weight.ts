// How much a request weighs where replicas are balanced by bytes: one for itself, since one without a body is work too,
// and one more for each 16 KiB of its body that is begun. A body of more than 32 MiB weighs no more than one of that
// size, so that the weights of a million requests fit into a cell of the ledger. Pure.

const UNIT_BYTES = 16 * 2 ** 10;
const MOST_UNITS = 2048;

/** @param sizeBytes of the body, as far as it is known. Gives a whole number from 1 to 2,049. */
export function weightOf(sizeBytes: number): number {
  return 1 + Math.min(MOST_UNITS, Math.ceil(sizeBytes / UNIT_BYTES));
}
