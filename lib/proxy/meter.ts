// What the data plane tells of its traffic to whoever looks: counters, times of some requests, and the slots that some of
// them landed on. It is asked, and never tells unasked: it knows of no reader, and there may be many.
//
// It costs a request next to nothing, watched or not: counting is a few additions, and since reading the clock twice would
// cost more than the rest together, only a second's first requests are timed, and one in 16 of those that follow, which then
// weighs as 16.

import type { Key, RingPolicy } from '../core/ring/policy.ts';
import type { Counters } from '../core/traffic/counters.ts';
import { LandingLog, type Landings } from '../core/traffic/landings.ts';
import { Tally } from '../core/traffic/traffic.ts';
import type { BalancerError } from '../errors.ts';

/** A request that is timed until the head of its reply: how long the rest takes is up to its size and its client. */
export interface Sample {
  readonly startedMs: number;
  /** 0 before. */
  answeredMs: number;
  /** How many it stands for. */
  readonly weight: number;
}

/** What it needs of a replica's agent. */
interface Metered {
  readonly replica: { readonly incarnation: number; readonly seat: number };
  readonly inFlight: number;
  readonly tally: Tally;
}

/** Of all agents together. */
interface MeteredLoad {
  readonly inFlight: number;
  readonly diverted: number;
}

interface Ended {
  /** The last one tried. */
  readonly agent: Metered | undefined;
  readonly status: number;
  readonly sample: Sample | undefined;
  readonly key: Key;
}

const TIMED_FREELY = 64;
const TIMED_ONE_IN = 16;

export class Meter {
  readonly #agents: ReadonlyMap<number, Metered>;
  readonly #load: MeteredLoad;
  readonly #total = new Tally();
  readonly #landings = new LandingLog();
  #second = 0;
  #timedFreely = 0;
  #untimed = 0;

  /** @param agents of all replicas that there are, whenever it is asked. */
  constructor(agents: ReadonlyMap<number, Metered>, load: MeteredLoad) {
    this.#agents = agents;
    this.#load = load;
  }

  /** At the begin of a request: whether it is timed. */
  sample(): Sample | undefined {
    if (this.#timedFreely < TIMED_FREELY) {
      this.#timedFreely += 1;
      return { startedMs: performance.now(), answeredMs: 0, weight: 1 };
    }
    this.#untimed += 1;
    if (this.#untimed < TIMED_ONE_IN) return undefined;
    this.#untimed = 0;
    return { startedMs: performance.now(), answeredMs: 0, weight: TIMED_ONE_IN };
  }

  /** At its end. `error` if the client got no whole reply of a replica. */
  count({ agent, status, sample, key }: Ended, error: BalancerError | undefined, policy: RingPolicy | undefined): void {
    if (error === undefined) {
      this.#total.countReply(status);
      agent?.tally.countReply(status);
      if (sample !== undefined && sample.answeredMs > 0) {
        const tookMs = sample.answeredMs - sample.startedMs;
        this.#total.time(tookMs, sample.weight);
        agent?.tally.time(tookMs, sample.weight);
      }
    } else {
      const how = error.status < 500 ? 'abandoned' : 'failed';
      this.#total.countLoss(how);
      agent?.tally.countLoss(how);
    }
    if (agent === undefined || policy === undefined || !this.#landings.land()) return;
    this.#landings.note(policy.slotOf(key), agent.replica.seat, error === undefined ? status : 0);
  }

  /** A few times a second, while there are clients. */
  onTick(nowMs: number): void {
    this.#landings.onTick(nowMs);
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#timedFreely = 0;
  }

  /** All that was counted since the start. To look changes nothing. */
  counters(): Counters {
    const { inFlight, diverted } = this.#load;
    return {
      total: { ...this.#total.read(), inFlight },
      diverted,
      replicas: Array.from(this.#agents.values(), ({ replica: { seat, incarnation }, tally, inFlight }) => ({
        seat,
        incarnation,
        ...tally.read(),
        inFlight,
      })),
    };
  }

  /** Where requests landed since the look that ended at `after`. Noting ends about a second after the last look. */
  landings(after: number): Landings {
    return this.#landings.since(after);
  }
}
