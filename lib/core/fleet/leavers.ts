// Chooses which replicas leave when the caller of /rm leaves it open: those without which the ring is most even, at
// random among equals. The ring does not depend on the order of joining: of six seats, three can leave so that the
// others share it as a fleet of three would.

/** What to choose from, and how many choices may be weighed. */
export interface LeaverChoice<T> {
  readonly candidates: readonly T[];
  /** How many of the candidates leave, 1 or more. */
  readonly count: number;
  /** How uneven the ring would be without them; less is better. */
  readonly unevennessWithout: (leavers: readonly T[]) => number;
  readonly mostWeighed: number;
  /** Returns a whole number from 0 to below `limit`. */
  readonly random: (limit: number) => number;
}

// Shares are fractions, so equal sums of them may differ by rounding.
const EQUAL_WITHIN = 1e-9;

/**
 * All candidates if there are no more than `count`. If there are too many choices to weigh them all, weighs the last
 * candidates and some chosen at random.
 */
export function chooseLeavers<T>(choice: LeaverChoice<T>): readonly T[] {
  const weighing = weighLeavers(choice);
  for (;;) {
    const { done, value } = weighing.next();
    if (done) return value;
  }
}

/** The same, for whoever has other things to do in between: yields after each choice that it weighs. */
export function* weighLeavers<T>(choice: LeaverChoice<T>): Generator<void, readonly T[]> {
  const { candidates, count, unevennessWithout, random } = choice;
  if (count >= candidates.length) return candidates;
  let least = Number.POSITIVE_INFINITY;
  let best: (readonly T[])[] = [];
  for (const leavers of choices(choice)) {
    const unevenness = unevennessWithout(leavers);
    yield;
    if (unevenness > least + EQUAL_WITHIN) continue;
    if (unevenness < least - EQUAL_WITHIN) best = [];
    least = Math.min(least, unevenness);
    best.push(leavers);
  }
  return best[random(best.length)] as readonly T[];
}

function* choices<T>({ candidates, count, mostWeighed, random }: LeaverChoice<T>): Generator<readonly T[]> {
  if (combinations(candidates.length, count) <= mostWeighed) {
    yield* subsets(candidates, count);
    return;
  }
  // The last seats are a good choice: without them, the ring is what it was before they came.
  yield candidates.slice(-count);
  for (let weighed = 1; weighed < mostWeighed; weighed++) {
    const left = [...candidates];
    yield Array.from({ length: count }, () => left.splice(random(left.length), 1)[0] as T);
  }
}

function* subsets<T>(from: readonly T[], count: number): Generator<readonly T[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let first = 0; first <= from.length - count; first++) {
    for (const rest of subsets(from.slice(first + 1), count - 1)) yield [from[first] as T, ...rest];
  }
}

function combinations(of: number, count: number): number {
  let product = 1;
  for (let step = 1; step <= Math.min(count, of - count); step++) product = (product * (of - step + 1)) / step;
  return product;
}
