// Compares what a replica did in a span of time with what the others did in the same one. Two things must come together
// before it stands out: chance alone would hardly do it, and it makes a difference that somebody feels. Sources: of two
// samples, the part of all pairs in which one exceeds the other is the statistic of Mann and Whitney ("On a Test of
// Whether one of Two Random Variables is Stochastically Larger than the Other", 1947), which asks nothing of how times
// are distributed; Envoy's outlier detection judges success rates by standard deviations beyond the others', too.

import { METHODS, OUTCOMES, REASONS, RETRY_REASONS, SEAT_LAYOUT, WAIT_CELLS, waitOfCell } from './measures.ts';

/** What was measured at one replica in a span of time. */
export interface Span {
  /** Attempts that have ended: with a reply, or lost. */
  readonly attempts: number;
  /** Attempts that were lost by the replica's doing, or got a status from 500 up. */
  readonly errors: number;
  /** How often its head of a reply was waited for so long, as `SEAT_LAYOUT.waits` has it. */
  readonly waits: Float64Array;
  readonly waited: number;
}

/** How a replica stands out. */
export type Finding =
  /** The median time that is waited for the head of its reply, and the others'. */
  | { readonly type: 'slow'; readonly ms: number; readonly othersMs: number }
  /** The part of attempts that fail there, and at the others, 0 … 1. */
  | { readonly type: 'erring'; readonly part: number; readonly othersPart: number };

/** Several replicas together, each with the same weight however many requests it had. */
export interface Crowd {
  /** The sum of their waits, each as parts of 1. */
  readonly waits: Float64Array;
  readonly waiters: number;
  /** The sum of their parts of errors. */
  readonly errors: number;
  readonly triers: number;
}

// Fewer attempts say nothing of a replica that others are compared with.
const LEAST_IN_CROWD = 10;
const LEAST_OTHERS = 2;
// Of twenty waits drawn like the others' so many exceed in fewer than one of 2,000 cases (3.3 standard deviations), and
// it takes three such spans in a row. A third of the replicas may be as slow, and each of them shows all the same.
const EXCEEDED_PART = 0.8;
const SLOWER_TIMES = 3;
const SLOWER_MS = 20;
const MORE_ERRORS_TIMES = 2;
const MORE_ERRORS_PART = 0.1;
const ERROR_DEVIATIONS = 4;
// The others have had no errors in a few requests: that does not mean that they never have any.
const LEAST_ERROR_PART = 0.05;

/** What the cells of a seat have gained; `undefined` for cells that were not there yet. */
export function spanBetween(before: Float64Array | undefined, after: Float64Array | undefined): Span {
  const gained = (cell: number) => (after?.[cell] ?? 0) - (before?.[cell] ?? 0);
  const sumOf = (cells: readonly number[]) => cells.reduce((sum, cell) => sum + gained(cell), 0);
  const waits = Float64Array.from({ length: WAIT_CELLS }, (_, cell) => gained(SEAT_LAYOUT.waits + cell));
  const lost = sumOf(LOST);
  return {
    attempts: sumOf(ANSWERED) + lost,
    errors: sumOf(ERRED) + lost,
    waits,
    waited: waits.reduce((sum, count) => sum + count, 0),
  };
}

export function crowdOf(spans: readonly Span[]): Crowd {
  const waits = new Float64Array(WAIT_CELLS);
  const waiters = spans.filter(isWaiter);
  const triers = spans.filter(isTrier);
  for (const span of waiters) {
    for (let cell = 0; cell < WAIT_CELLS; cell++) waits[cell] = (waits[cell] as number) + partOf(span, cell);
  }
  const errors = triers.reduce((sum, span) => sum + span.errors / span.attempts, 0);
  return { waits, waiters: waiters.length, errors, triers: triers.length };
}

/**
 * Compares a replica with the crowd of the same span of time. Gives how it stands out, `well` if it does not, and
 * `unknown` if there is too little to say.
 * @param least attempts that are enough to judge it by. @param isInCrowd it is one of the crowd itself.
 */
export function compare(one: Span, crowd: Crowd, least: number, isInCrowd: boolean): Finding | 'well' | 'unknown' {
  const tries = compareErrors(one, crowd, least, isInCrowd);
  if (typeof tries === 'object') return tries;
  const waits = compareWaits(one, crowd, least, isInCrowd);
  return waits === 'unknown' ? tries : waits;
}

/** How badly a replica does: the more, the worse. An error is worse than any wait. */
export function badness(finding: Finding): number {
  return finding.type === 'slow' ? 1 - finding.othersMs / finding.ms : 1 + finding.part;
}

function compareErrors(one: Span, crowd: Crowd, least: number, isInCrowd: boolean) {
  const isOne = isInCrowd && isTrier(one);
  const others = crowd.triers - (isOne ? 1 : 0);
  if (one.attempts < least || others < LEAST_OTHERS) return 'unknown';
  const part = one.errors / one.attempts;
  const othersPart = Math.max(0, (crowd.errors - (isOne ? part : 0)) / others);
  const expected = Math.max(LEAST_ERROR_PART, othersPart);
  const deviation = Math.sqrt((expected * (1 - expected)) / one.attempts);
  const stands =
    part >= othersPart + ERROR_DEVIATIONS * deviation &&
    part >= othersPart + MORE_ERRORS_PART &&
    part >= othersPart * MORE_ERRORS_TIMES;
  return stands ? ({ type: 'erring', part, othersPart } as const) : 'well';
}

function compareWaits(one: Span, crowd: Crowd, least: number, isInCrowd: boolean) {
  const isOne = isInCrowd && isWaiter(one);
  const others = crowd.waiters - (isOne ? 1 : 0);
  if (one.waited < least || others < LEAST_OTHERS) return 'unknown';
  // What is left of its own part may come out a trifle below 0.
  const theirs = crowd.waits.map((sum, cell) => Math.max(0, sum - (isOne ? partOf(one, cell) : 0)));
  const ms = medianOf(one.waits);
  const othersMs = medianOf(theirs);
  const stands =
    ms >= othersMs * SLOWER_TIMES && ms >= othersMs + SLOWER_MS && exceededPart(one.waits, theirs) >= EXCEEDED_PART;
  return stands ? ({ type: 'slow', ms, othersMs } as const) : 'well';
}

// Of all pairs of a wait there and a wait elsewhere, the part in which the one there is longer. Waits in the same cell
// count half.
function exceededPart(ones: Float64Array, others: Float64Array): number {
  let below = 0;
  let exceeded = 0;
  for (let cell = 0; cell < WAIT_CELLS; cell++) {
    const there = others[cell] as number;
    exceeded += (ones[cell] as number) * (below + there / 2);
    below += there;
  }
  return exceeded / (below * sumOfCells(ones));
}

function medianOf(waits: Float64Array): number {
  let left = sumOfCells(waits) / 2;
  const cell = waits.findIndex((count) => {
    left -= count;
    return left <= 0;
  });
  return waitOfCell(cell);
}

function partOf({ waits, waited }: Span, cell: number): number {
  return (waits[cell] as number) / waited;
}

function isWaiter({ waited }: Span): boolean {
  return waited >= LEAST_IN_CROWD;
}

function isTrier({ attempts }: Span): boolean {
  return attempts >= LEAST_IN_CROWD;
}

function sumOfCells(cells: Float64Array): number {
  return cells.reduce((sum, count) => sum + count, 0);
}

// Where the cells of a seat count what is asked for here.
const cellsNamed = <Name>(from: number, all: readonly Name[], named: (name: Name) => boolean): number[] =>
  all.flatMap((name, index) => (named(name) ? [from + index] : []));
const outcomes = (named: (outcome: string) => boolean) =>
  METHODS.flatMap((_, method) => cellsNamed(SEAT_LAYOUT.requests + method * OUTCOMES.length, OUTCOMES, named));
const ANSWERED = outcomes((outcome) => outcome.endsWith('xx'));
const ERRED = outcomes((outcome) => outcome === '5xx');
const BLAMED: readonly string[] = ['bad-reply', 'connection-lost', 'connect-failed', 'reply-timeout'];
// A kept connection that had closed says nothing of the replica.
const LOST = [
  ...cellsNamed(SEAT_LAYOUT.losses, REASONS, (reason) => BLAMED.includes(reason)),
  ...cellsNamed(SEAT_LAYOUT.retries, RETRY_REASONS, (reason) => reason !== 'stale'),
];
