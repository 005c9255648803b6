// Takes over who should be in the fleet: services of `--upstream` and their weights, and how many replicas are started.
// What differs from the file before is done as /add and /rm would do it; members that were added or removed by these
// stay as they are.

import { type ChangePorts, leaversOf } from '../admin/changes.ts';
import { foldedAddress } from '../core/address.ts';
import { givenAddress, placement, placesOf, weightsOf } from '../core/fleet/fleet-state.ts';
import type { Address, Wish } from '../core/ports.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { BalancerError, describe } from '../errors.ts';
import type { FleetChange, Imagination } from '../fleet/imagine.ts';
import { fixedUpstreams } from '../settings/lists/upstream.ts';
import type { Options } from '../settings/options.ts';
import type { Taker } from './taker.ts';

export interface MemberPorts extends ChangePorts {
  readonly imagine: Imagination;
  /** Resolves when requests go by the new weights. */
  readonly weigh: (weights: ReadonlyMap<SeatId, number>) => Promise<void>;
}

export function memberTaker(ports: MemberPorts): Taker {
  return {
    flags: ['upstream', 'replicas'],
    begin: async (next, before) => {
      const change = fleetChange(ports, next, before);
      const weights = weightsOf(ports.state());
      if (change.added.length > 0) await ports.add(change.added);
      const added = ports.state().seats.filter(({ replica }) => !weights.has(replica.seat));
      return {
        finish: async () => {
          if (change.weights.size > 0) await ports.weigh(change.weights);
          if (change.removed.length === 0) return;
          // They are off the ring, whatever becomes of them.
          await ports
            .remove(change.removed)
            .catch((error) => ports.log.warn('removal-late', { reason: describe(error) }));
        },
        undo: async () => {
          await ports.weigh(new Map([...change.weights.keys()].map((seat) => [seat, weights.get(seat) ?? 1])));
          await ports.remove(added.map(({ replica }) => replica));
        },
      };
    },
  };
}

/** What the fleet would have to become. Throws `bad-config` if there is no room for it. */
export function fleetChange(ports: MemberPorts, next: Options, before: Options): FleetChange {
  // The list that a follower goes by says who there is.
  if (next.role === 'follower') return { added: [], removed: [], weights: new Map() };
  const change = next.upstream.size > 0 ? ofUpstreams(ports, next, before) : ofReplicas(ports, next, before);
  const state = ports.state();
  const weights = weightsOf(state);
  const grown = [...change.weights].map(([seat, weight]) => Math.max(0, weight - (weights.get(seat) ?? 0)));
  // Those that leave do so when the others are there.
  const places = [placement(state).size, ...change.added.map(({ weight }) => weight), ...grown].reduce((a, b) => a + b);
  // A list of services may be as long as the ring, as at a start.
  const most = next.upstream.size > 0 ? ports.slots : ports.maxPlaces;
  if (places <= most) return change;
  throw new BalancerError(
    'bad-config',
    `weights must add up to at most ${most}, what the ring has room for, not ${places} together with those that leave`,
  );
}

function ofUpstreams({ state }: MemberPorts, next: Options, before: Options): FleetChange {
  const seats = new Map(
    state().seats.flatMap((seat) => {
      const address = givenAddress(seat);
      return address === undefined ? [] : [[foldedAddress(address), seat.replica] as const];
    }),
  );
  const listed = byAddress(next);
  const wasListed = byAddress(before);
  const added: Wish[] = [];
  const weights = new Map<SeatId, number>();
  for (const [key, { hostname, address, weight }] of listed) {
    if (wasListed.get(key)?.weight === weight) continue;
    const there = seats.get(key);
    if (there === undefined) added.push({ hostname, address, weight });
    else if (placesOf(there).length !== weight) weights.set(there.seat, weight);
  }
  const removed = [...wasListed.keys()].flatMap((key) => (listed.has(key) ? [] : (seats.get(key) ?? [])));
  return { added, removed, weights };
}

interface Listed {
  readonly hostname: string;
  readonly address: Address;
  readonly weight: number;
}

function byAddress({ upstream }: Options): Map<string, Listed> {
  return new Map(
    [...fixedUpstreams(upstream)].map(([hostname, one]) => [foldedAddress(one.address), { hostname, ...one }]),
  );
}

function ofReplicas(ports: MemberPorts, next: Options, before: Options): FleetChange {
  const weights = new Map<SeatId, number>();
  if (next.replicas === before.replicas) return { added: [], removed: [], weights };
  const { seats } = ports.state();
  const started = seats.filter(({ isGiven }) => !isGiven).map(({ replica }) => replica);
  const missing = next.replicas - started.length;
  if (missing <= 0) {
    return { added: [], removed: missing === 0 ? [] : leaversOf(ports, started, -missing, []), weights };
  }
  if (seats.length + missing > ports.maxReplicas) {
    throw new BalancerError(
      'bad-config',
      `replicas.replicas may be at most ${ports.maxReplicas - seats.length + started.length} now, not ${next.replicas}: ` +
        `there are others too, and the limit is ${ports.maxReplicas}`,
    );
  }
  return { added: Array.from({ length: missing }, () => ({ hostname: undefined, weight: 1 })), removed: [], weights };
}
