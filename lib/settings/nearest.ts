// Finds what somebody may have meant who wrote a name that is not there. Pure.

/**
 * The name that takes the fewest wrong letters to be read as `written`; `undefined` if that is more than `mostWrong`.
 */
export function nearest(written: string, known: readonly string[], mostWrong: number): string | undefined {
  const distances = known.map((name) => ({ name, distance: distanceBetween(written, name) }));
  const best = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
  return best.distance <= mostWrong ? best.name : undefined;
}

// How many letters must be put in, left out or exchanged to get from one to the other (Levenshtein).
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= Math.min(a.length, 100); i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const exchanged = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
