// What an operator does to a running balancer: takes a replica's new requests away and gives them back, holds all
// requests back for a while, replaces the replicas one by one, and asks whether it lives and may be sent requests.

import { type FleetState, routes, type Seat } from '../core/fleet/fleet-state.ts';
import type { Make, ReplicaRef } from '../core/ports.ts';
import type { Counters } from '../core/traffic/counters.ts';
import { addLoads, NO_LOAD, type PlaneReading, type SeatLoad } from '../core/traffic/plane-reading.ts';
import { BalancerError } from '../errors.ts';
import { parseDrain, parseNothing, parsePause } from './bodies.ts';
import { seatNamed } from './changes.ts';
import { parseRoll } from './roll-body.ts';

export interface OperationPorts {
  readonly state: () => FleetState;
  readonly failOpen: boolean;
  readonly counters: () => Promise<Counters>;
  readonly reading: () => Promise<PlaneReading>;
  /** Resolves when requests go by it. */
  readonly drain: (replica: ReplicaRef, isDrained: boolean) => Promise<void>;
  readonly pause: {
    readonly leftMs: number | undefined;
    begin(forMs: number): Promise<void>;
    end(): Promise<void>;
  };
  readonly roll: {
    readonly progress: object;
    begin(make: Make, canaries?: number): Promise<object>;
    goOn(): Promise<object>;
    undo(): Promise<object>;
    hold(): object;
  };
  /** Why replicas cannot be made so; `undefined` if they can. */
  readonly whyUnfit: (make: Make) => string | undefined;
  /** Why nobody should send new requests here, though they would be served; `undefined` if everybody may. */
  readonly whyLame: () => string | undefined;
  /** Why no replica takes requests; `undefined` if one does. */
  readonly whyNone: () => string | undefined;
  /** Resolves when requests go by the fleet as it is. */
  readonly holds: () => Promise<void>;
}

/** Takes new requests away from a replica. What it has goes on; the answer says how much that is. */
export async function drainReplica(ports: OperationPorts, text: string): Promise<unknown> {
  const { hostname, force } = parseDrain(text);
  const { replica, isDrained } = servingSeat(ports.state(), hostname);
  if (isDrained !== true) {
    const others = routes(ports.state(), ports.failOpen).filter((route) => route.replica.seat !== replica.seat);
    if (others.length === 0 && !force) {
      const reason = `no other replica takes requests: all would be answered 503. {"force": true} drains it all the same`;
      throw new BalancerError('last-replica', reason);
    }
    await ports.drain(replica, true);
  }
  const { loads } = await ports.reading();
  return { drained: replica.hostname, left: left(loads.get(replica.seat) ?? NO_LOAD) };
}

/** Gives a drained replica its requests back. */
export async function undrainReplica(ports: OperationPorts, text: string): Promise<unknown> {
  const { replica, isDrained } = servingSeat(ports.state(), parseDrain(text).hostname);
  if (isDrained === true) await ports.drain(replica, false);
  return { undrained: replica.hostname };
}

/** Holds back all requests that no replica has yet. The answer says how many requests the replicas have. */
export async function pause(ports: OperationPorts, text: string): Promise<unknown> {
  const { forMs } = parsePause(text);
  await ports.pause.begin(forMs);
  const { loads } = await ports.reading();
  return { paused: true, forMs, left: left([...loads.values()].reduce(addLoads, NO_LOAD)) };
}

export async function resume(ports: OperationPorts, text: string): Promise<unknown> {
  parseNothing(text);
  const wasPaused = ports.pause.leftMs !== undefined;
  await ports.pause.end();
  return { paused: false, wasPaused };
}

/** Replaces the replicas seat by seat, goes on with that, or undoes it. Resolves with how far it has come. */
export async function rollReplicas({ roll, whyUnfit }: OperationPorts, text: string): Promise<unknown> {
  const question = parseRoll(text);
  if (question.type !== 'begin') return roll[question.type]();
  const reason = whyUnfit(question.make);
  if (reason !== undefined) throw new BalancerError('bad-body', reason);
  return roll.begin(question.make, question.canaries);
}

/** Whether that body asks the roll under way to wait, which must not wait for the end of that roll. */
export function asksToHold(text: string): boolean {
  try {
    return parseRoll(text).type === 'hold';
  } catch {
    // A bad body is refused, with the reason, when its turn comes.
    return false;
  }
}

// Longer than a worker may be busy with something that is no fault.
const LIVE_WITHIN_MS = 5000;

/** Resolves if all threads still do their work. To be asked by whatever restarts this process. */
export async function live({ counters }: OperationPorts): Promise<string> {
  const late = AbortSignal.timeout(LIVE_WITHIN_MS);
  await new Promise((resolve, reject) => {
    late.addEventListener('abort', () => reject(new BalancerError('not-live', 'a worker does not answer')));
    counters().then(resolve, reject);
  });
  return 'live';
}

/** Resolves if new requests should be sent here. To be asked by whatever sends them. */
export async function ready({ whyLame, whyNone, pause, holds }: OperationPorts): Promise<string> {
  const lame = whyLame();
  if (lame !== undefined) throw new BalancerError('closing', lame);
  if (pause.leftMs !== undefined)
    throw new BalancerError('overloaded', 'requests are held back: POST /balancer/resume');
  const reason = whyNone();
  if (reason !== undefined) throw new BalancerError('no-replica', reason);
  // Who asks sends the first request next.
  await holds();
  return 'ready';
}

// Event streams and tunnels have no place in flight, and no end to wait for.
function left({ inFlight, streams, tunnels }: SeatLoad) {
  return { requests: inFlight, streams, tunnels };
}

function servingSeat(state: FleetState, hostname: string): Seat {
  const seat = seatNamed(state, hostname);
  if (seat.phase === 'serving' || seat.phase === 'down') return seat;
  throw new BalancerError('bad-body', `${seat.replica.hostname} does not serve yet: it has no requests`);
}
