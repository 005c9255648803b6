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
  /** Replicas that take requests. */
  readonly replicas: number;
  /** None has come, gone or become doubtful of late: what is slow now is not slow because of that. */
  readonly isSteady: boolean;
}

/**
 * A window lasts as long as a request does, since many that began together end together, but within these bounds, in
 * ms; and until enough have finished, if there are so many.
 */
const LEAST_WINDOW_MS = 90;
const MOST_WINDOW_MS = 2000;
const ENOUGH_TO_SUSPECT = 20;
const ENOUGH_TO_JUDGE = 100;
/** With no more than so many requests each, replicas have it easy, and show how long a request takes them. */
const EASY_PER_REPLICA = 4;
/** Requests that take so many times as long are slowed, unless they take less than so many ms, which harms nobody. */
const SLOWED = 4;
const LEAST_SLOWED_MS = 25;
/** What stands for that if it is not known how long they took before: so many requests at each replica. */
const HEAVY_PER_REPLICA = 32;
/** The least limit: one request that the replica works on, and the next one. */
const LEAST_PER_REPLICA = 2;
/** Where an overload has been found, replicas have enough to do if requests take so many times as long as at ease. */
const BUSY = 2;
/** The next number to try, as a multiple of the one that holds: on the way down, and later from time to time. */
const STEP = 0.6;
const PROBE_DOWN = 0.75;
const PROBE_UP = 1.5;
const WINDOWS_TO_PROBE = 8;
/** A limit must keep this part of the best throughput. */
const KEPT = 0.9;
/** What a window's throughput may differ by chance. */
const CHANCE = 0.25;
/** The best throughput is forgotten slowly, since what the replicas can do changes: this part is left per window. */
const REMEMBERED = 0.999;
/** The longest that a new number is given to show its effect, in ms. */
const MOST_SETTLING_MS = 5000;
/** More arrive than are finished, by this factor. After so many such windows requests are shed. */
const OUTPACED = 1.15;
const WINDOWS_TO_SHED = 3;
/** One window is enough for a first trial if it is by this factor, else it takes two. */
const OUTPACED_FAR = 1.5;
/** There is no limit any more after so many windows in which hardly anybody waited, or in which no more arrived. */
const WINDOWS_TO_FREE = 10;
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
  /** Somebody waited most of the time. */
  readonly isFull: boolean;
}

/** A limit is being tried. */
interface Trial {
  /** The limit that held before. */
  readonly before: number;
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
  #looks = 0;
  #looksFull = 0;
  // How long a request takes replicas that have it easy, in ms, as far as known.
  #easyMs: number | undefined;
  #trial: Trial | undefined;
  // The throughput under the limit that holds, averaged, and the best of those of late.
  #reached = 0;
  #best = 0;
  // The throughput without a limit, averaged.
  #usual = 0;
  #windowsHeld = 0;
  #windowsWithRoom = 0;
  #windowsOutpaced = 0;
  #windowsCalm = 0;
  #probes = 0;
  #truceMs = FIRST_TRUCE_MS;
  #truceEndsMs = 0;

  /**
   * Call it a few times a second.
   * @param waitMs how long requests may wait for a place in an overload. Infinity for no limits at all.
   */
  advance(facts: OverloadFacts, waitMs: number): void {
    if (waitMs === NONE) {
      this.#free();
      this.mostWaiting = NONE;
      this.#from = undefined;
      return;
    }
    this.#looks += 1;
    if (facts.waiting > 0) this.#looksFull += 1;
    const window = this.#from === undefined ? undefined : this.#windowSince(this.#from, facts);
    if (this.#from !== undefined && window === undefined) return;
    this.#from = facts;
    this.#looks = 0;
    this.#looksFull = 0;
    if (window === undefined) return;
    const isOutpaced = window.arrivals > OUTPACED * window.throughput;
    this.#windowsOutpaced = isOutpaced ? this.#windowsOutpaced + 1 : 0;
    this.#windowsCalm = isOutpaced ? 0 : this.#windowsCalm + 1;
    if (this.#windowsCalm >= WINDOWS_TO_FREE) this.#free();
    else if (this.mostInFlight === NONE) this.#watch(window, facts);
    else if (!window.isFull) this.#ease(facts);
    else this.#judge(window, facts);
    this.#shed(window, waitMs, facts.isSteady);
  }

  // There is no limit. Looks whether one should be tried.
  #watch(window: Window, facts: OverloadFacts): void {
    const { tookMs, throughput } = window;
    const { nowMs, inFlight, replicas, isSteady } = facts;
    if (throughput === 0) return;
    this.#usual += (throughput - this.#usual) / 16;
    if (inFlight <= EASY_PER_REPLICA * replicas) {
      // It follows slowly upwards, so that it remembers what an overload has made slow.
      this.#easyMs = Math.min(tookMs, (this.#easyMs ?? NONE) * 1.1);
      return;
    }
    const isSlowed =
      this.#easyMs === undefined ? inFlight > HEAVY_PER_REPLICA * replicas : tookMs > SLOWED * this.#easyMs;
    const isOutpaced = this.#windowsOutpaced >= (window.arrivals > OUTPACED_FAR * throughput ? 1 : 2);
    if (!isSlowed || tookMs < LEAST_SLOWED_MS || !isOutpaced || !isSteady || nowMs < this.#truceEndsMs) return;
    this.#best = this.#usual;
    this.#reached = throughput;
    this.#try(inFlight, inFlight / 2, window, facts, true);
  }

  // There is a limit, and it is used up.
  #judge(window: Window, facts: OverloadFacts): void {
    const { throughput } = window;
    this.#windowsWithRoom = 0;
    const trial = this.#trial;
    if (trial === undefined) {
      this.#average(throughput);
      this.#best = Math.max(REMEMBERED * this.#best, this.#reached);
      this.#windowsHeld += 1;
      if (this.#windowsHeld >= WINDOWS_TO_PROBE) this.#probe(window, facts);
    } else if (facts.inFlight <= this.mostInFlight && facts.nowMs - window.ms >= trial.settledMs) {
      this.#conclude(trial, window, facts);
    } else if (trial.isFirst) {
      // What finishes first are requests of before, at the rate of before.
      this.#reached = Math.max(this.#reached, throughput);
    }
  }

  #conclude({ before, isFirst }: Trial, window: Window, facts: OverloadFacts): void {
    const { throughput } = window;
    const most = this.mostInFlight;
    if (isFirst && throughput / this.#reached < most / before + CHANCE) {
      // It went down with the limit. So the replicas are slow, and can do more than that.
      this.#easyMs = window.tookMs;
      this.#truceEndsMs = facts.nowMs + this.#truceMs;
      this.#truceMs = Math.min(LONGEST_TRUCE_MS, 2 * this.#truceMs);
      this.#free();
      return;
    }
    if (isFirst) this.#reached = throughput;
    this.#truceMs = FIRST_TRUCE_MS;
    this.#trial = undefined;
    const isDown = most < before;
    const isBetter = isDown
      ? throughput >= KEPT * Math.max(this.#reached, this.#best)
      : throughput * KEPT > this.#reached;
    if (!isBetter) {
      this.mostInFlight = before;
      return;
    }
    if (!isDown) this.#reached = throughput;
    this.#average(throughput);
    // By Little's law so many are there when each takes that long. A step at a time takes seconds, and all who are let
    // in meanwhile are late.
    const enough = isFirst ? BUSY * (this.#easyMs ?? NONE) * throughput : NONE;
    if (isDown) this.#try(most, Math.min(most * STEP, enough), window, facts, false);
  }

  #probe(window: Window, facts: OverloadFacts): void {
    this.#probes += 1;
    const most = this.mostInFlight;
    const next = most * (this.#probes % 2 === 0 ? PROBE_UP : PROBE_DOWN);
    this.#try(most, next, window, facts, false);
  }

  #average(throughput: number): void {
    this.#reached += (throughput - this.#reached) / 4;
  }

  #try(before: number, next: number, { tookMs }: Window, { nowMs, replicas }: OverloadFacts, isFirst: boolean): void {
    this.mostInFlight = Math.max(LEAST_PER_REPLICA * replicas, Math.floor(next));
    this.#windowsHeld = 0;
    const settledMs = nowMs + Math.min(MOST_SETTLING_MS, tookMs);
    this.#trial = this.mostInFlight === before ? undefined : { before, settledMs, isFirst };
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
    this.#windowsWithRoom = 0;
  }

  #shed({ throughput, isFull }: Window, waitMs: number, isSteady: boolean): void {
    const isShedding = this.mostWaiting !== NONE;
    // A first trial may hold requests back for no good reason.
    const begins = isSteady && isFull && this.#trial?.isFirst !== true && this.#windowsOutpaced >= WINDOWS_TO_SHED;
    if (this.mostInFlight === NONE) this.mostWaiting = NONE;
    else if (isShedding || begins) this.mostWaiting = Math.ceil(Math.max(throughput, this.#reached) * waitMs);
  }

  #windowSince(from: OverloadFacts, to: OverloadFacts): Window | undefined {
    const ms = to.nowMs - from.nowMs;
    const finished = to.finished - from.finished;
    const finishedMs = to.finishedMs - from.finishedMs;
    const tookMs = finishedMs === 0 ? 0 : (to.finishedMs2 - from.finishedMs2) / finishedMs;
    const enough = this.mostInFlight === NONE ? ENOUGH_TO_SUSPECT : ENOUGH_TO_JUDGE;
    const isLong = ms >= Math.max(LEAST_WINDOW_MS, tookMs) && finished >= enough;
    if (!isLong && ms < MOST_WINDOW_MS) return undefined;
    const isFull = 2 * this.#looksFull > this.#looks;
    return { ms, tookMs, throughput: finished / ms, arrivals: (to.arrived - from.arrived) / ms, isFull };
  }
}
