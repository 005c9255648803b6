// Starts and stops that are under way. Each is begun once, has a time limit, and is reported when it ends. The plan of
// the fleet says what to begin; `observe` decides what a report means.

import type { UntimedEvent } from '../core/fleet/fleet.ts';
import type { Clock, ReplicaRef, ReplicaRuntime } from '../core/ports.ts';
import { asBalancerError, BalancerError, describe, isFinal, localShortage } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from './clock.ts';

const WARN_AFTER_MS = 5000;

export interface UnderwayPorts {
  readonly runtime: ReplicaRuntime;
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves when the data plane has no request left at that replica, at the latest when the signal is aborted. */
  readonly drained: (replica: ReplicaRef, signal: AbortSignal) => Promise<void>;
}

export interface UnderwayLimits {
  /** Longest time from the start of a replica to its first good probe, in ms. */
  readonly startTimeoutMs: number;
  /** How long a leaving replica may take to finish its requests, and then again to end, in ms. */
  readonly graceMs: number;
}

/** The error of a start that takes too long. */
export function startLate(runtime: Pick<ReplicaRuntime, 'awaited' | 'seen'>, limitMs: number, replica?: ReplicaRef) {
  const seen = replica && runtime.seen?.(replica);
  const { awaited = 'it was not up' } = runtime;
  return new BalancerError('start-failed', `${awaited} within ${limitMs} ms${seen === undefined ? '' : `: ${seen}`}`);
}

export class Underway {
  readonly #ports: UnderwayPorts;
  readonly #limits: UnderwayLimits;
  readonly #report: (event: UntimedEvent) => void;
  // The starts and stops that are under way, by incarnation.
  readonly #starts = new Map<number, { abort: AbortController; done: Promise<void> }>();
  readonly #stops = new Set<number>();

  constructor(ports: UnderwayPorts, limits: UnderwayLimits, report: (event: UntimedEvent) => void) {
    this.#ports = ports;
    this.#limits = limits;
    this.#report = report;
  }

  start(replica: ReplicaRef): void {
    const { incarnation } = replica;
    if (this.#starts.has(incarnation)) return;
    const abort = new AbortController();
    const done = this.#runStart(replica, abort.signal).finally(() => this.#starts.delete(incarnation));
    this.#starts.set(incarnation, { abort, done });
    this.#report({ type: 'starting', incarnation });
  }

  async #runStart(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    const { runtime, clock, log } = this.#ports;
    const limitMs = this.#limits.startTimeoutMs;
    const late = () => startLate(runtime, limitMs, replica);
    const over = new AbortController();
    // Whoever waits for a program that listens elsewhere need not wait for the whole limit to learn it.
    const warn = () =>
      log.warn('replica-late', { ...replica, reason: startLate(runtime, WARN_AFTER_MS, replica).message });
    if (runtime.awaited !== undefined) clock.sleep(WARN_AFTER_MS, over.signal).then(warn, () => undefined);
    try {
      const address = await within(clock, limitMs, (working) => runtime.start(replica, working), late, signal);
      this.#report({ type: 'started', replica, address });
    } catch (error) {
      const { incarnation } = replica;
      const reason = describe(error);
      if (localShortage(error) !== undefined) {
        this.#report({ type: 'start-impossible', incarnation, reason });
        return;
      }
      const failure = asBalancerError(error);
      const kind = { final: isFinal(failure), nameIsTaken: failure.code === 'name-taken' };
      this.#report({ type: 'start-failed', incarnation, reason, ...kind });
    } finally {
      over.abort();
    }
  }

  /** Stops a replica. If its start is still under way, gives the start up first. */
  async stop(replica: ReplicaRef, drains: boolean): Promise<void> {
    const { incarnation } = replica;
    if (this.#stops.has(incarnation)) return;
    this.#stops.add(incarnation);
    try {
      const start = this.#starts.get(incarnation);
      start?.abort.abort(new Error('it is no longer wanted'));
      await start?.done;
      if (drains) await this.#drained(replica);
      await this.#ports.runtime.stop(replica, drains ? this.#limits.graceMs : 0);
      this.#stops.delete(incarnation);
      this.#report({ type: 'stopped', incarnation });
    } catch (error) {
      this.#stops.delete(incarnation);
      this.#ports.log.error('stop-failed', { ...replica, reason: describe(error) });
      this.#report({ type: 'stop-failed', incarnation });
    }
  }

  /** Lets a given replica go: it counts as stopped once it has none of our requests left. */
  async release(replica: ReplicaRef, drains: boolean): Promise<void> {
    const { incarnation } = replica;
    if (this.#stops.has(incarnation)) return;
    this.#stops.add(incarnation);
    if (drains) await this.#drained(replica);
    this.#stops.delete(incarnation);
    this.#report({ type: 'stopped', incarnation });
  }

  // Resolves when no request is left there or the grace is over.
  async #drained(replica: ReplicaRef): Promise<void> {
    const { clock, drained } = this.#ports;
    const late = () => new Error('the grace is over');
    const working = (signal: AbortSignal) => drained(replica, signal);
    await within(clock, this.#limits.graceMs, working, late).catch(() => undefined);
  }
}
