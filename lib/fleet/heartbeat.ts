// One probe loop for each replica that is up: fast until the first success, then at an even pace, at once when somebody suspects
// the replica. What the results mean is health.ts.

import type { Address, Clock, Probe, ReplicaRef } from '../core/ports.ts';
import { describe } from '../errors.ts';
import { within } from './clock.ts';

export interface HeartbeatPace {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface Heartbeat {
  /** Probe now instead of at the next beat. */
  hurry(): void;
  stop(): void;
}

// A replica that is coming up is asked this often at first; each time the wait grows by half, up to the interval.
const FIRST_WAIT_MS = 15;

/** The loops of a fleet, by incarnation. */
export class Heartbeats {
  readonly #loops = new Map<number, Heartbeat>();
  readonly #start: (incarnation: number, address: Address) => Heartbeat;

  constructor(
    probe: Probe,
    clock: Clock,
    pace: HeartbeatPace,
    report: (incarnation: number, failure: string | undefined) => void,
  ) {
    this.#start = (incarnation, address) =>
      startHeartbeat(address, probe, clock, pace, (failure) => report(incarnation, failure));
  }

  /** From now on these are probed, and no others. */
  match(replicas: readonly { readonly replica: ReplicaRef; readonly address: Address }[]): void {
    const wanted = new Set(replicas.map(({ replica }) => replica.incarnation));
    for (const [incarnation, loop] of this.#loops) {
      if (wanted.has(incarnation)) continue;
      loop.stop();
      this.#loops.delete(incarnation);
    }
    for (const { replica, address } of replicas) {
      const { incarnation } = replica;
      if (!this.#loops.has(incarnation)) this.#loops.set(incarnation, this.#start(incarnation, address));
    }
  }

  hurry(incarnation: number): void {
    this.#loops.get(incarnation)?.hurry();
  }
}

/** Starts the loop. `report` gets the reason of each failure, `undefined` for a success. */
export function startHeartbeat(
  address: Address,
  probe: Probe,
  clock: Clock,
  pace: HeartbeatPace,
  report: (failure: string | undefined) => void,
): Heartbeat {
  const stopped = new AbortController();
  let beat = new AbortController();
  let waitMs = FIRST_WAIT_MS;

  const run = async () => {
    while (!stopped.signal.aborted) {
      beat = new AbortController();
      const result = await probeOnce(address, probe, clock, pace.timeoutMs, stopped.signal);
      if (stopped.signal.aborted) return;
      if (result.verdict) report(result.failure);
      if (result.verdict && result.failure === undefined) waitMs = pace.intervalMs;
      else waitMs = Math.min(pace.intervalMs, waitMs * 1.5);
      await clock.sleep(waitMs, beat.signal).catch(() => undefined);
    }
  };
  void run();

  return {
    hurry: () => beat.abort(),
    stop: () => {
      stopped.abort();
      beat.abort();
    },
  };
}

async function probeOnce(address: Address, probe: Probe, clock: Clock, timeoutMs: number, signal: AbortSignal) {
  const startedMs = clock.now();
  const late = () => new Error(`no answer to the heartbeat within ${timeoutMs} ms`);
  try {
    await within(clock, timeoutMs, (working) => probe(address, working), late, signal);
    return { verdict: true, failure: undefined };
  } catch (error) {
    // This process was asleep or busy for as long again: the answer may lie unread in a buffer. That convicts nobody.
    const overslept = clock.now() - startedMs > 2 * timeoutMs;
    return { verdict: !overslept, failure: describe(error) };
  }
}
