// Measures the traffic of the data plane: counters, the times of some requests, and the slots that some of them landed
// on. Readers ask the meter; it calls nobody, so there may be any number of readers.
//
// It costs a request next to nothing, whether anybody reads or not. Counting is a few additions, but reading the clock
// twice would cost more than all the rest. So only the first requests of each second are timed, and then one in 16,
// which weighs as 16.

import type { Key, RingPolicy } from '../core/ring/policy.ts';
import type { Counters } from '../core/traffic/counters.ts';
import { LandingLog, type Landings } from '../core/traffic/landings.ts';
import { Tally } from '../core/traffic/traffic.ts';
import type { BalancerError } from '../errors.ts';

/** A request that is timed until the head of its reply. What comes after depends on the reply's size and the client. */
export interface Sample {
  readonly startedMs: number;
  /** When the head of the reply came; 0 before. */
  answeredMs: number;
  /** How many requests this one stands for. */
  readonly weight: number;
}

/** The parts of a replica's agent that the meter reads. */
interface Metered {
  readonly replica: { readonly incarnation: number; readonly seat: number };
  readonly inFlight: number;
  readonly tally: Tally;
}

/** Load of all agents together. */
interface MeteredLoad {
  readonly inFlight: number;
  readonly diverted: number;
}

interface Ended {
  /** The agent of the replica that was tried last. */
  readonly agent: Metered | undefined;
  readonly status: number;
  readonly sample: Sample | undefined;
  readonly key: Key;
  /** Why the client got no whole reply of a replica, if it got none. */
  readonly error: BalancerError | undefined;
}

const TIMED_FREELY = 64;
const TIMED_ONE_IN = 16;

export class Meter {
  readonly #agents: ReadonlyMap<number, Metered>;
  readonly #load: MeteredLoad;
  readonly #total: Tally;
  readonly #landings = new LandingLog();
  #second = 0;
  #timedFreely = 0;
  #untimed = 0;

  /**
   * @param agents the agents of all replicas; the map is read anew at each call.
   * @param total counts all requests.
   */
  constructor(agents: ReadonlyMap<number, Metered>, load: MeteredLoad, total = new Tally()) {
    this.#total = total;
    this.#agents = agents;
    this.#load = load;
  }

  /** Call it when a request begins. Gives a sample if the request is to be timed. */
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

  /** Call it when a request has ended. */
  count({ agent, status, sample, key, error }: Ended, policy: RingPolicy | undefined): void {
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

  /** Called a few times a second while there are clients. */
  onTick(nowMs: number): void {
    this.#landings.onTick(nowMs);
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#timedFreely = 0;
  }

  /** All that was counted since the start. Reading changes nothing. */
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

  /**
   * Where requests landed since the look that ended at `after`. Landings stop being noted about a second after the last
   * look.
   */
  landings(after: number): Landings {
    return this.#landings.since(after);
  }
}
