// Which fleets a question means, given the fleet as it is. A number of replicas means those that /add or /rm would
// leave.

import { members, placement } from '../../core/fleet/fleet-state.ts';
import { weighLeavers } from '../../core/fleet/leavers.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { Fleet } from '../../core/sketch/sketch-scenario.ts';
import type { Bound } from '../../core/what-if/placing.ts';
import type { NamedPair } from '../../core/what-if/scenario.ts';
import { BalancerError } from '../../errors.ts';
import { type ChangePorts, leaverChoice } from '../changes.ts';
import type { FleetQuestion, WhatIfQuestion } from './body.ts';

type Places = ReadonlyMap<number, SeatId>;

export interface FleetPorts extends Pick<ChangePorts, 'state' | 'imagine' | 'ringOf' | 'slots' | 'random'> {
  /** The bound on load that is in force. */
  readonly bound: () => Bound;
  /** The hash pair of that name; by default the one in force. */
  readonly pairNamed: (name?: string) => Promise<NamedPair>;
}

/** Fleets that are played for one question at most. */
const MOST_FLEETS = 64;

/** Does work in slices, with pauses in between. */
export type InSlices = <Result>(work: Generator<void, Result>) => Promise<Result>;

/** The first is the fleet as it is, the second the one to compare with. Rejects with `bad-body`. */
export async function fleetsOf(
  ports: FleetPorts,
  asked: WhatIfQuestion,
  inSlices: InSlices,
): Promise<[Fleet, Fleet, ...Fleet[]]> {
  const { pairNamed } = ports;
  const { factor, floor } = ports.bound();
  const nowPlaces = asked.now === undefined ? placement(ports.state()) : plainPlaces(asked.now, new Map());
  if (nowPlaces.size === 0) throw refusal('now is missing: there is no replica, so say how many there should be');
  const nextPlaces = await inSlices(nextOf(ports, asked, nowPlaces));
  if (nextPlaces.size === 0) throw refusal('the fleet has changed meanwhile: ask again');
  const own = await pairNamed();
  const named = (name: string) => (name === own.name ? own : pairNamed(name));
  const now: Fleet = { name: 'now', hash: own, factor, floor, places: nowPlaces };
  const next: Fleet = {
    name: 'then',
    hash: asked.hash === undefined ? own : await named(asked.hash),
    factor: asked.factor ?? factor,
    floor: asked.floor ?? floor,
    places: nextPlaces,
  };
  const isCompared = asked.hashes.length > 0 || asked.factors.length > 0;
  const hashes =
    asked.hashes.length > 0 ? await Promise.all([...new Set(asked.hashes)].map((name) => named(name))) : [next.hash];
  const factors = asked.factors.length > 0 ? [...new Set(asked.factors)] : [next.factor];
  const kinds = hashes.flatMap((hash) => factors.map((factor) => ({ ...next, hash, factor })));
  const compared = isCompared ? kinds.map((kind): Fleet => ({ ...kind, name: 'compared' })) : [];
  const most = asked.most ?? 2 * Math.max(seatsOf(nowPlaces), seatsOf(nextPlaces));
  const sizes = asked.target === undefined ? [] : Array.from({ length: most }, (_, index) => index + 1);
  const all = 2 + compared.length + kinds.length * sizes.length;
  if (all > MOST_FLEETS) {
    throw refusal(`these would be ${all} fleets to play, more than ${MOST_FLEETS}: narrow most, hashes or factors`);
  }
  const sized = kinds.flatMap((kind) =>
    sizes.map((count): Fleet => ({ ...kind, name: 'sized', places: plainPlaces({ count }, new Map()) })),
  );
  return [now, next, ...compared, ...sized];
}

function* nextOf(ports: FleetPorts, { now, next }: WhatIfQuestion, places: Places): Generator<void, Places> {
  if (next === undefined) return places;
  if ('seats' in next || now !== undefined) return plainPlaces(next, places);
  const present = members(ports.state());
  const more = next.count - present.length;
  if (more >= 0) {
    const wish = { hostname: undefined, weight: 1 };
    return placement(ports.imagine.added(Array.from({ length: more }, () => wish)));
  }
  return placement(ports.imagine.removed(yield* weighLeavers(leaverChoice(ports, present, -more, []))));
}

// Seats that are there keep the places that they have.
function plainPlaces(asked: FleetQuestion, there: Places): Places {
  const seats = 'seats' in asked ? asked.seats : Array.from({ length: asked.count }, (_, index) => index + 1);
  const wanted = new Set(seats);
  const places = new Map([...there].filter(([, seat]) => wanted.has(seat)));
  for (const seat of seats) {
    const holder = places.get(seat);
    if (holder !== undefined && holder !== seat) {
      throw refusal(`then has seat ${seat}, whose place is held by seat ${holder}, which has a weight`);
    }
    places.set(seat, seat);
  }
  return new Map([...places].sort(([a], [b]) => a - b));
}

function seatsOf(places: Places): number {
  return new Set(places.values()).size;
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
