// Measures the traffic of the data plane: counters, times, and the slots that some requests landed on. Readers ask the
// meter; it calls nobody, so there may be any number of readers, and it costs a request next to nothing.

import type { Key, RingPolicy } from '../core/ring/policy.ts';
import type { Counters } from '../core/traffic/counters.ts';
import { LandingLog, type Landings } from '../core/traffic/landings.ts';
import { SeatMeasures } from '../core/traffic/measures.ts';
import { Tally } from '../core/traffic/traffic.ts';
import type { BalancerError } from '../errors.ts';
import type { Times } from './exchange/times.ts';

/** The parts of a replica's agent that the meter reads. */
interface Metered {
  readonly replica: { readonly incarnation: number; readonly seat: number };
  readonly inFlight: number;
  readonly tally: Tally;
  readonly measures: SeatMeasures;
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
  readonly request: { readonly method?: string | undefined };
  readonly times: Times;
  readonly key: Key;
  /** Why the client got no whole reply of a replica, if it got none. */
  readonly error: BalancerError | undefined;
}

export class Meter {
  readonly #agents: ReadonlyMap<number, Metered>;
  readonly #load: MeteredLoad;
  readonly #total: Tally;
  /** Of requests that no replica got. */
  readonly measures: SeatMeasures;
  readonly #landings = new LandingLog();

  /**
   * @param agents the agents of all replicas; the map is read anew at each call.
   * @param measures of requests that no replica got.
   * @param total counts all requests.
   */
  constructor(
    agents: ReadonlyMap<number, Metered>,
    load: MeteredLoad,
    measures = new SeatMeasures(),
    total = new Tally(),
  ) {
    this.measures = measures;
    this.#total = total;
    this.#agents = agents;
    this.#load = load;
  }

  /** Call it when a request has ended. */
  count({ agent, request, status, times, key, error }: Ended, policy: RingPolicy | undefined): void {
    const { measures } = agent ?? this;
    const { method = '' } = request;
    if (error === undefined) {
      measures.reply(method, status, times);
      this.#total.countReply(status);
      agent?.tally.countReply(status);
      // What comes after the head of the reply depends on the reply's size and the client.
      if (times.answeredMs > 0) {
        const tookMs = times.answeredMs - times.startedMs;
        this.#total.time(tookMs);
        agent?.tally.time(tookMs);
      }
    } else {
      const how = error.isOfClient ? 'abandoned' : 'failed';
      measures.loss(method, how, error.code, times);
      this.#total.countLoss(how);
      agent?.tally.countLoss(how);
    }
    if (agent === undefined || policy === undefined || !this.#landings.land()) return;
    this.#landings.note(policy.slotOf(key), agent.replica.seat, error === undefined ? status : 0);
  }

  /** Called a few times a second while there are clients. */
  onTick(nowMs: number): void {
    this.#landings.onTick(nowMs);
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
