// Has as many replicas as the load needs. Looks once a second, asks lib/core/fleet/autoscale.ts, and has replicas added
// and removed in the order of all changes. One step at a time, and every step is logged with what led to it.

import type { AutoscaleCounts, AutoscaleStep, AutoscaleView } from '../core/autoscale-view.ts';
import { type AutoscaleFacts, type AutoscaleRules, type Decision, decide, NO_MEMORY } from '../core/fleet/autoscale.ts';
import { type FleetState, hostnameIn, placesOf, routes, type Seat, stateOf } from '../core/fleet/fleet-state.ts';
import type { Clock, ReplicaRef } from '../core/ports.ts';
import { loadLook } from '../core/traffic/load-look.ts';
import type { PlaneReading } from '../core/traffic/plane-reading.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

export interface AutoscalerPorts {
  readonly clock: Clock;
  /** Time of day, in ms since 1970. */
  readonly timeOfDay: () => number;
  readonly log: Log;
  /** `undefined` while it is off. Asked at each look, since it may change. */
  readonly rules: () => AutoscaleRules | undefined;
  readonly state: () => FleetState;
  readonly reading: () => Promise<PlaneReading>;
  /** How many more places the ring has room for. */
  readonly room: (state: FleetState) => number;
  /** What else is under way, in words; `undefined` if nothing is. */
  readonly busy: () => string | undefined;
  /** The part of the keys that would move. */
  readonly moved: (change: AutoscaleChange) => number;
  /** Makes the change in its turn. Resolves when it is done; rejects if it cannot be done, and nothing changed then. */
  readonly make: (change: AutoscaleChange) => Promise<void>;
}

export type AutoscaleChange =
  | { readonly type: 'add'; readonly count: number }
  | { readonly type: 'remove'; readonly replicas: readonly ReplicaRef[] };

const LOOK_EVERY_MS = 1000;
// Where there is no replica, somebody waits for the next look.
const LOOK_FROM_ZERO_MS = 100;
const MOST_STEPS = 32;
const FIRST_RETRY_MS = 1000;

export class Autoscaler {
  readonly #ports: AutoscalerPorts;
  readonly #closed = new AbortController();
  #memory = NO_MEMORY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #now: Decision | null = null;
  #steps: readonly AutoscaleStep[] = [];
  #counts: AutoscaleCounts = { up: 0, down: 0, failed: 0, coldStarts: 0, coldStartMs: 0 };
  #isUnderWay = false;
  #failures = 0;
  #retryMs = Number.NEGATIVE_INFINITY;
  #told = '';

  constructor(ports: AutoscalerPorts) {
    this.#ports = ports;
  }

  /** `undefined` while it is off. */
  get view(): AutoscaleView | undefined {
    const rules = this.#ports.rules();
    return rules && { rules, now: this.#now, steps: this.#steps, counts: this.#counts };
  }

  /** Starts to look. */
  begin(): void {
    void this.#lookAgainAndAgain();
  }

  /** No further step is decided. One that is under way is finished. */
  close(): void {
    this.#closed.abort();
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { clock, state } = this.#ports;
    const { signal } = this.#closed;
    for (;;) {
      const pauseMs = state().seats.length === 0 ? LOOK_FROM_ZERO_MS : LOOK_EVERY_MS;
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { clock, rules: rulesNow, reading: read, log } = this.#ports;
    const rules = rulesNow();
    if (rules === undefined) {
      this.#memory = NO_MEMORY;
      this.#now = null;
      return;
    }
    // A look that fails is made up for by the next one.
    const reading = await read().catch(() => undefined);
    if (reading === undefined || this.#closed.signal.aborted) return;
    const nowMs = clock.now();
    const facts = this.#factsOf(reading, nowMs);
    if (facts.waiting === 0 && nowMs - this.#lookedMs < LOOK_EVERY_MS / 2) return;
    this.#lookedMs = nowMs;
    const { memory, decision } = decide(this.#memory, facts, rules);
    this.#memory = memory;
    this.#now = decision;
    this.#tell(decision);
    if (log.writesDebug) log.debug('autoscale-looked', { ...decision });
    if (decision.step !== 0) void this.#take(decision, rules, facts);
  }

  #factsOf(reading: PlaneReading, nowMs: number): AutoscaleFacts {
    const state = this.#ports.state();
    const weights = (seats: readonly Seat[]) => seats.map(({ replica }) => placesOf(replica).length);
    const others = state.seats.filter(({ isGiven }) => isGiven);
    const loads = [...reading.loads.values()];
    return {
      load: loadLook(reading, nowMs),
      weights: weights(state.seats.filter(({ isGiven }) => !isGiven)),
      others: others.length,
      otherWeights: sum(weights(others)),
      ready: sum(routes(state).map(({ weight }) => weight)),
      room: this.#ports.room(state),
      waiting: state.seats.length > 0 ? 0 : sum(reading.threads.map((one) => one.waiting + one.waitingForReturn)),
      open: sum(loads.map(({ streams, tunnels }) => streams + tunnels)),
      busy: this.#busy(state, nowMs),
      unwell: unwellIn(state),
    };
  }

  #busy(state: FleetState, nowMs: number): string | undefined {
    if (this.#isUnderWay) return 'a step is under way';
    const [leaving] = state.leaving;
    if (leaving !== undefined) return `${leaving.replica.hostname} is leaving`;
    const starting = state.seats.find((seat) => seat.phase !== 'serving' && !hasFailed(seat));
    if (starting !== undefined) return `${starting.replica.hostname} is starting`;
    if (nowMs < this.#retryMs) return 'the last step failed';
    return this.#ports.busy();
  }

  async #take(decision: Decision, { target, downRate }: AutoscaleRules, { ready }: AutoscaleFacts): Promise<void> {
    const { clock, log, moved: movedBy, make, timeOfDay } = this.#ports;
    const { step, replicas: from, reason, stable, panic, isPanic, wanted, wantedLately } = decision;
    const beganMs = clock.now();
    const change = changeOf(this.#ports.state(), step);
    const moved = movedBy(change);
    const inputs = { stable: rounded(stable), panic: rounded(panic), isPanic, target, ready, wanted, wantedLately };
    const names = change.type === 'remove' ? { leave: change.replicas.map(({ hostname }) => hostname), downRate } : {};
    log.info('autoscaling', { from, to: from + step, reason, ...inputs, moved: rounded(moved), ...names });
    const told = { ...inputs, step, replicas: from, reason, atMs: timeOfDay(), moved: rounded(moved) };
    this.#steps = [...this.#steps, { ...told, tookMs: null, failure: null }].slice(-MOST_STEPS);
    this.#isUnderWay = true;
    try {
      await make(change);
      this.#end({ tookMs: clock.now() - beganMs, failure: null }, step, reason === 'from-zero');
    } catch (error) {
      this.#end({ tookMs: clock.now() - beganMs, failure: describe(error) }, step, false);
    } finally {
      this.#isUnderWay = false;
    }
  }

  #end(how: Pick<AutoscaleStep, 'tookMs' | 'failure'>, step: number, isColdStart: boolean): void {
    const { clock, log, state, rules } = this.#ports;
    const tookMs = Math.round(how.tookMs ?? 0);
    this.#steps = this.#steps.map((one, at, { length }) => (at === length - 1 ? { ...one, ...how, tookMs } : one));
    const counts = this.#counts;
    if (how.failure !== null) {
      this.#failures += 1;
      // As long as it takes to measure the load anew, at most.
      const pauseMs = Math.min(rules()?.windowMs ?? 0, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
      this.#retryMs = clock.now() + pauseMs;
      this.#counts = { ...counts, failed: counts.failed + 1 };
      log.warn('autoscale-failed', { step, reason: how.failure, againInMs: pauseMs });
      return;
    }
    this.#failures = 0;
    this.#counts = step > 0 ? { ...counts, up: counts.up + 1 } : { ...counts, down: counts.down + 1 };
    log.info('autoscaled', { replicas: state().seats.length, tookMs });
    if (!isColdStart) return;
    const { coldStarts, coldStartMs } = this.#counts;
    this.#counts = { ...this.#counts, coldStarts: coldStarts + 1, coldStartMs: coldStartMs + tookMs };
    log.info('cold-start', { replicas: step, tookMs });
  }

  // What stands in the way is told once.
  #tell({ reason, frozenBy, replicas, wanted, stable, panic, isPanic }: Decision): void {
    const isTold = reason === 'frozen' || reason === 'most' || reason === 'paused';
    const what = isTold ? reason : '';
    if (what === this.#told) return;
    this.#told = what;
    const inputs = { replicas, wanted, stable: rounded(stable), panic: rounded(panic), isPanic };
    if (reason === 'frozen') this.#ports.log.info('autoscale-frozen', { reason: frozenBy, ...inputs });
    else if (reason === 'most') this.#ports.log.warn('autoscale-at-most', inputs);
    else if (reason === 'paused') this.#ports.log.info('autoscale-paused', { reason: 'all replicas were removed' });
  }
}

// The highest seats leave, and the ring is what it was before they came.
function changeOf({ seats }: FleetState, step: number): AutoscaleChange {
  if (step > 0) return { type: 'add', count: step };
  const own = seats.filter(({ isGiven }) => !isGiven).map(({ replica }) => replica);
  return { type: 'remove', replicas: own.slice(step) };
}

// A first start that has not failed yet is on its way; all else may last.
function hasFailed(seat: Seat): boolean {
  return seat.phase === 'down' || seat.lapses.count > 0 || (seat.phase === 'started' && seat.complaint !== undefined);
}

function unwellIn(state: FleetState): string | undefined {
  const unwell = state.seats.find((seat) => stateOf(seat) !== 'serving');
  return unwell && `${hostnameIn(state, unwell.replica.seat)} is ${stateOf(unwell)}`;
}

function rounded(value: number): number {
  return Math.round(1000 * value) / 1000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
