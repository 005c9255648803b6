// Overload: more requests come than the replicas can do. Two numbers answer it. One is how many requests may be at the
// replicas: beyond some number they finish no more a second, and each request only takes longer. The other is how many
// may wait in front of them: whoever could only be served late is turned away at once.
//
// The first number is found by trying, a hill climb on throughput as in the thread pool of .NET: a smaller one that
// loses no throughput is better, and one that loses some is taken back. So replicas that are merely slow are not taken
// for overloaded ones: with half of the requests, those finish half as many. And requests are turned away only while
// more come than are finished, in one window after the other. Clients that each wait for their reply before they ask
// again cause no such growth, however many they are.

/** What a thread sees of its own requests. Counts and sums are since the start. */
export interface OverloadFacts {
  readonly nowMs: number;
  readonly arrived: number;
  /** Requests that a replica had, and that are over. */
  readonly finished: number;
  /** The times that those were at their replicas, added up, in ms, and the squares of those times, in ms². */
  readonly finishedMs: number;
  readonly finishedMs2: number;
  /** At the replicas now. */
  readonly inFlight: number;
  /** Waiting for a place now. */
  readonly waiting: number;
  /** The part of the time since the last call in which this thread was at work, 0 to 1. */
  readonly busy: number;
  /** Replicas that take requests. */
  readonly replicas: number;
}

/**
 * A window lasts as long as a request does, since many that began together end together, but within these bounds, in
 * ms; and until enough have finished, if there are so many.
 */
const LEAST_WINDOW_MS = 90;
const MOST_WINDOW_MS = 2000;
const ENOUGH_TO_SUSPECT = 20;
const ENOUGH_TO_TRY = 50;
const ENOUGH_TO_JUDGE = 100;
/** With no more than so many requests each, replicas have it easy, and show how long a request takes them. */
const EASY_PER_REPLICA = 4;
/** Requests that take so many times as long are worth a trial. */
const SLOWED = 4;
/** So many at each replica are worth a trial too, if nothing is known of the replicas yet. */
const HEAVY_PER_REPLICA = 32;
/** The least limit: one request that the replica works on, and the next one. */
const LEAST_PER_REPLICA = 2;
/** The next number to try, as a multiple of the one that holds: on the way down, and later from time to time. */
const STEP = 0.6;
const PROBE_DOWN = 0.75;
const PROBE_UP = 1.5;
const WINDOWS_TO_PROBE = 16;
/** A limit must keep this part of the best throughput. */
const KEPT = 0.9;
/** What a window's throughput may differ by chance. */
const CHANCE = 0.25;
/** The best throughput is forgotten slowly, since what the replicas can do changes: this part is left per window. */
const REMEMBERED = 0.999;
/** The longest that a new number is given to show its effect, in ms. */
const MOST_SETTLING_MS = 5000;
/** More arrive than are finished, by this factor, in so many windows. */
const OUTPACED = 1.15;
const WINDOWS_TO_SHED = 3;
/** After so many windows in which not always somebody waited, there is no limit any more. */
const WINDOWS_TO_FREE = 10;
/** A thread that is at work for more of the time is itself what limits the throughput. */
const BUSY = 0.85;
/** After a trial that showed no overload, none is begun for so long, in ms; twice as long after each further one. */
const FIRST_TRUCE_MS = 5000;
const LONGEST_TRUCE_MS = 80_000;
const NONE = Number.POSITIVE_INFINITY;

/** A window that is over. */
interface Window {
  readonly ms: number;
  /**
   * How long a request takes that was met at a replica at any moment: the mean of the times, each weighted by itself.
   * After so long what is in flight has been replaced, also if most requests are quick and some are slow.
   */
  readonly tookMs: number;
  /** Finished per ms. */
  readonly throughput: number;
  /** Arrived per ms. */
  readonly arrivals: number;
  /** Somebody waited all the time. */
  readonly isFull: boolean;
}

/** A limit is being tried. */
interface Trial {
  /** The limit that held before. */
  readonly before: number;
  /** The throughput with that one. */
  readonly throughput: number;
  /** From then on, what finishes was let in under the new limit. */
  readonly settledMs: number;
  /** It is to show whether there is an overload at all. */
  readonly isFirst: boolean;
}

export class Overload {
  /** How many requests of this thread may be at the replicas. Infinity for no limit but that of each replica. */
  mostInFlight = NONE;
  /** How many of this thread may wait. Infinity for no limit but that of the line. */
  mostWaiting = NONE;
  // Where the window under way began, and what it has seen.
  #from: OverloadFacts | undefined;
  #isFull = true;
  #busiest = 0;
  // How long a request takes replicas that have it easy, in ms, as far as known.
  #easyMs: number | undefined;
  #trial: Trial | undefined;
  // The throughput under the limit that holds, and the best of late.
  #reached = 0;
  #best = 0;
  #windowsHeld = 0;
  #windowsWithRoom = 0;
  #windowsOutpaced = 0;
  #probes = 0;
  #truceMs = FIRST_TRUCE_MS;
  #truceEndsMs = 0;

  /**
   * Call it a few times a second.
   * @param waitMs how long requests may wait for a place in an overload. Infinity for no limits at all.
   */
  advance(facts: OverloadFacts, waitMs: number): void {
    this.#isFull &&= facts.waiting > 0;
    this.#busiest = Math.max(this.#busiest, facts.busy);
    const window = this.#from === undefined ? undefined : this.#windowSince(this.#from, facts);
    if (this.#from !== undefined && window === undefined) return;
    const mayLimit = waitMs !== NONE && this.#busiest <= BUSY;
    this.#from = facts;
    this.#isFull = true;
    this.#busiest = 0;
    if (window === undefined) return;
    if (!mayLimit) this.#free();
    else if (this.mostInFlight === NONE) this.#watch(window, facts);
    else if (!window.isFull) this.#ease(facts);
    else this.#judge(window, facts);
    this.#shed(window, waitMs);
  }

  // There is no limit. Looks whether one should be tried.
  #watch(window: Window, facts: OverloadFacts): void {
    const { tookMs, throughput } = window;
    const { nowMs, inFlight, replicas } = facts;
    if (throughput === 0) return;
    if (inFlight <= EASY_PER_REPLICA * replicas) {
      // It follows slowly upwards, so that it remembers what an overload has made slow.
      this.#easyMs = Math.min(tookMs, (this.#easyMs ?? NONE) * 1.1);
      return;
    }
    const isWorth =
      this.#easyMs === undefined ? inFlight > HEAVY_PER_REPLICA * replicas : tookMs > SLOWED * this.#easyMs;
    if (!isWorth || nowMs < this.#truceEndsMs) return;
    this.#best = 0;
    this.#try(inFlight, inFlight / 2, throughput, window, facts, true);
  }

  // There is a limit, and it is used up.
  #judge(window: Window, facts: OverloadFacts): void {
    const { throughput } = window;
    this.#windowsWithRoom = 0;
    const trial = this.#trial;
    if (trial === undefined) {
      this.#reached += (throughput - this.#reached) / 5;
      this.#best = Math.max(REMEMBERED * this.#best, this.#reached);
      this.#windowsHeld += 1;
      if (this.#windowsHeld >= WINDOWS_TO_PROBE) this.#probe(window, facts);
    } else if (facts.inFlight <= this.mostInFlight && facts.nowMs - window.ms >= trial.settledMs) {
      this.#conclude(trial, window, facts);
    } else if (throughput > trial.throughput) {
      // What finishes first are requests of before, at the rate of before.
      this.#trial = { ...trial, throughput };
    }
  }

  #conclude({ before, throughput, isFirst }: Trial, window: Window, facts: OverloadFacts): void {
    const most = this.mostInFlight;
    if (isFirst && window.throughput / throughput < most / before + CHANCE) {
      // It went down with the limit. So the replicas are slow, and can do more than that.
      this.#easyMs = window.tookMs;
      this.#truceEndsMs = facts.nowMs + this.#truceMs;
      this.#truceMs = Math.min(LONGEST_TRUCE_MS, 2 * this.#truceMs);
      this.#free();
      return;
    }
    this.#truceMs = FIRST_TRUCE_MS;
    this.#best = Math.max(this.#best, throughput);
    this.#trial = undefined;
    this.#windowsHeld = 0;
    const isDown = most < before;
    const isBetter = isDown ? window.throughput >= KEPT * this.#best : window.throughput * KEPT > throughput;
    this.#reached = isBetter ? window.throughput : throughput;
    if (!isBetter) this.mostInFlight = before;
    else if (isDown) this.#try(most, most * STEP, window.throughput, window, facts, false);
  }

  #probe(window: Window, facts: OverloadFacts): void {
    this.#probes += 1;
    const most = this.mostInFlight;
    const next = most * (this.#probes % 2 === 0 ? PROBE_UP : PROBE_DOWN);
    this.#try(most, next, this.#reached, window, facts, false);
  }

  #try(
    before: number,
    next: number,
    throughput: number,
    { tookMs }: Window,
    { nowMs, replicas }: OverloadFacts,
    isFirst: boolean,
  ): void {
    this.mostInFlight = Math.max(LEAST_PER_REPLICA * replicas, Math.floor(next));
    this.#reached = throughput;
    this.#windowsHeld = 0;
    const settledMs = nowMs + Math.min(MOST_SETTLING_MS, tookMs);
    this.#trial = this.mostInFlight === before ? undefined : { before, throughput, settledMs, isFirst };
  }

  // There was room at times, so the limit says nothing about the replicas.
  #ease({ inFlight }: OverloadFacts): void {
    this.#trial = undefined;
    this.#windowsHeld = 0;
    this.#windowsWithRoom += 1;
    if (this.#windowsWithRoom >= WINDOWS_TO_FREE) this.#free();
    else if (inFlight >= this.mostInFlight) this.mostInFlight = Math.ceil(this.mostInFlight * 1.25);
  }

  #free(): void {
    this.mostInFlight = NONE;
    this.#trial = undefined;
    this.#windowsHeld = 0;
    this.#windowsWithRoom = 0;
  }

  #shed({ arrivals, throughput, isFull }: Window, waitMs: number): void {
    if (this.mostInFlight === NONE || !isFull) this.#windowsOutpaced = 0;
    else if (arrivals > OUTPACED * throughput) this.#windowsOutpaced += 1;
    else if (this.mostWaiting === NONE) this.#windowsOutpaced = 0;
    // A first trial may hold requests back for no good reason.
    const isOverload = this.#windowsOutpaced >= WINDOWS_TO_SHED && this.#trial?.isFirst !== true;
    this.mostWaiting = isOverload ? Math.ceil(throughput * waitMs) : NONE;
  }

  #windowSince(from: OverloadFacts, to: OverloadFacts): Window | undefined {
    const ms = to.nowMs - from.nowMs;
    const finished = to.finished - from.finished;
    const finishedMs = to.finishedMs - from.finishedMs;
    const tookMs = finishedMs === 0 ? 0 : (to.finishedMs2 - from.finishedMs2) / finishedMs;
    const isLong = ms >= Math.max(LEAST_WINDOW_MS, tookMs) && finished >= this.#enough;
    if (!isLong && ms < MOST_WINDOW_MS) return undefined;
    return { ms, tookMs, throughput: finished / ms, arrivals: (to.arrived - from.arrived) / ms, isFull: this.#isFull };
  }

  get #enough(): number {
    if (this.mostInFlight === NONE) return ENOUGH_TO_SUSPECT;
    return this.#trial?.isFirst === true ? ENOUGH_TO_TRY : ENOUGH_TO_JUDGE;
  }
}
