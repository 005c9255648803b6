// One probe loop for each replica that is up: fast until the first success, then at a regular interval, and at once
// when the replica is suspected. health.ts decides what the results mean.

import type { FailureKind } from '../../core/fleet/health.ts';
import type { Address, Clock, Probe, ReplicaRef } from '../../core/ports.ts';
import { describe, localShortage } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { within } from '../clock.ts';
import { kindOf } from './http-probe.ts';

export interface HeartbeatPace {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface Heartbeat {
  /** Probes now instead of at the next interval. */
  hurry(): void;
  stop(): void;
}

// The first wait between probes of a replica that is coming up. Each wait is half as long again, up to the interval.
const FIRST_WAIT_MS = 15;

/** The probe loops of a fleet, by incarnation. */
export class Heartbeats {
  readonly #loops = new Map<number, Heartbeat>();
  readonly #start: (incarnation: number, address: Address) => Heartbeat;
  #shortage: string | undefined;

  constructor(
    probe: Probe,
    clock: Clock,
    pace: HeartbeatPace,
    log: Log,
    report: (incarnation: number, failure: string | undefined, kind: FailureKind) => void,
  ) {
    const judged = (incarnation: number, { verdict, failure, kind, shortage }: Judgement) => {
      // The shortage is logged once, not with every probe of every replica.
      if (shortage !== undefined && this.#shortage === undefined)
        log.warn('heartbeat-impossible', { reason: shortage });
      if (verdict || shortage !== undefined) this.#shortage = shortage;
      if (verdict) report(incarnation, failure, kind);
    };
    this.#start = (incarnation, address) =>
      startHeartbeat(address, probe, clock, pace, (judgement) => judged(incarnation, judgement));
  }

  /** From now on, probes these replicas and no others. */
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

/** What a probe says about a replica. */
export interface Judgement {
  /** False if the probe says nothing, because this process was late or could not even send it. */
  readonly verdict: boolean;
  /** Why the probe failed; `undefined` if it succeeded. */
  readonly failure: string | undefined;
  /** The kind of failure; meaningless after a success. */
  readonly kind: FailureKind;
  /** What this process has run out of, if that is why it could not probe. */
  readonly shortage?: string | undefined;
}

/** Starts the probe loop of one replica. */
export function startHeartbeat(
  address: Address,
  probe: Probe,
  clock: Clock,
  pace: HeartbeatPace,
  report: (judgement: Judgement) => void,
): Heartbeat {
  const stopped = new AbortController();
  let beat = new AbortController();
  let waitMs = FIRST_WAIT_MS;

  const run = async () => {
    while (!stopped.signal.aborted) {
      beat = new AbortController();
      const result = await probeOnce(address, probe, clock, pace.timeoutMs, stopped.signal);
      if (stopped.signal.aborted) return;
      report(result);
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

async function probeOnce(
  address: Address,
  probe: Probe,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Judgement> {
  const lag = watchLag(clock, timeoutMs / 5);
  const late = () => new Error(`no answer to the heartbeat within ${timeoutMs} ms`);
  try {
    await within(clock, timeoutMs, (working) => probe(address, working), late, signal);
    return { verdict: true, failure: undefined, kind: 'other' };
  } catch (error) {
    // If this process was asleep or busy, it may have probed late or left the answer unread. That convicts nobody.
    const overslept = lag.stop() > timeoutMs / 5;
    // A probe that could not be made convicts nobody either: without a free descriptor, all replicas would be out at
    // once.
    const shortage = localShortage(error);
    return { verdict: !overslept && shortage === undefined, failure: describe(error), kind: kindOf(error), shortage };
  } finally {
    lag.stop();
  }
}

// Measures how much later than planned this process wakes up, in ms, by a timer that fires every `sliceMs`.
function watchLag(clock: Clock, sliceMs: number): { stop(): number } {
  const stopped = new AbortController();
  let lagMs = 0;
  let sinceMs = clock.now();
  const look = () => {
    const nowMs = clock.now();
    lagMs += Math.max(0, nowMs - sinceMs - sliceMs);
    sinceMs = nowMs;
  };
  const run = async () => {
    for (;;) {
      await clock.sleep(sliceMs, stopped.signal);
      look();
    }
  };
  run().catch(() => undefined);
  return {
    stop: () => {
      stopped.abort();
      look();
      return lagMs;
    },
  };
}
