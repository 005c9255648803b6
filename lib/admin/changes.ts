// /rep, /add and /rm: checks what a change asks for against the fleet as it is, and with `?dry-run` tells what it would
// move. Also /balancer/kill, which shows how the fleet mends itself.

import { type FleetState, hostnameIn, members, placement, type Seat, weightsOf } from '../core/fleet/fleet-state.ts';
import { chooseLeavers, type LeaverChoice } from '../core/fleet/leavers.ts';
import { foldedHostname, sameHostname } from '../core/fleet/replica-name.ts';
import type { ReplicaRef, Wish } from '../core/ports.ts';
import type { HashRing, SeatId } from '../core/ring/ring.ts';
import { movesBetween, sharesOf } from '../core/ring/ring-view.ts';
import { BalancerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { parseChange, parseKill } from './bodies.ts';
import { wishesOf } from './wishes.ts';

export interface ChangePorts {
  /** The fleet now. */
  readonly state: () => FleetState;
  readonly add: (wishes: readonly Wish[]) => Promise<void>;
  readonly remove: (replicas: readonly ReplicaRef[]) => Promise<void>;
  /** Ends the replica as a crash would. Nobody is told, so that the fleet has to find out. */
  readonly kill: (replica: ReplicaRef) => Promise<void>;
  /** The fleet as it would be after a change, without making the change. */
  readonly imagine: {
    readonly added: (wishes: readonly Wish[]) => FleetState;
    readonly removed: (replicas: readonly ReplicaRef[]) => FleetState;
  };
  readonly ringOf: (places: ReadonlyMap<number, SeatId>) => HashRing;
  readonly log: Log;
  /** Returns a whole number from 0 to below `limit`. */
  readonly random: (limit: number) => number;
  readonly maxReplicas: number;
  readonly slots: number;
  /** The most that all weights may add up to. */
  readonly maxPlaces: number;
  /** If false, nothing is started here and each new replica has to be given with its address. */
  readonly startsReplicas: boolean;
}

// How many names from a request's body one log entry may hold.
const MOST_TOLD = 16;
// No request is answered while choices are weighed, so this limits the pause to some hundredths of a second.
const MOST_SLOTS_WEIGHED = 100_000;

const TOO_MANY_TO_ADD = 'Length of hostname list is more than newly added instances';
const TOO_MANY_TO_REMOVE = 'Length of hostname list is more than removable instances';

/** The answer of /rep. */
export function rep(ports: ChangePorts): { N: number; replicas: string[] } {
  return repOf(ports.state());
}

export async function addReplicas(ports: ChangePorts, text: string, query: URLSearchParams): Promise<unknown> {
  const present = members(ports.state());
  const checkRoom = (n: number, there: number) => {
    // The list of --upstream may be longer than maxReplicas.
    const room = Math.max(0, ports.maxReplicas - present.length);
    if (n - there <= room) return;
    const most = room + there;
    const may = most === 0 ? 'nothing can be added now' : `n must be at most ${most} now`;
    throw refusal(`${may}: there are ${present.length} replicas and the limit is ${ports.maxReplicas}, not ${n}`);
  };
  // Refuses at once what cannot fit, even if some of the hostnames are there already.
  const asked = parseChange(text, TOO_MANY_TO_ADD, (n) => n > ports.maxReplicas && checkRoom(n, 0));
  checkQuery(query, 'dry-run');
  const state = ports.state();
  const there = new Set(present.map((one) => foldedHostname(one.hostname)));
  // A hostname that is there counts as added, so that a script may repeat itself. The room is checked before a list of
  // that length is made.
  checkRoom(asked.n, asked.hostnames.filter((hostname) => there.has(foldedHostname(hostname))).length);
  const wishes = wishesOf(asked, state, ports.startsReplicas);
  const places = placement(state).size + wishes.reduce((sum, wish) => sum + wish.weight, 0);
  if (places > ports.maxPlaces) {
    throw refusal(
      `weights must add up to at most ${ports.maxPlaces}, what the ring has room for, not ${places} with all replicas`,
    );
  }
  if (query.has('dry-run')) return imagined(ports, ports.imagine.added(wishes));
  if (wishes.length > 0) await ports.add(wishes);
  return rep(ports);
}

export async function removeReplicas(ports: ChangePorts, text: string, query: URLSearchParams): Promise<unknown> {
  const { n, hostnames, weights, addresses } = parseChange(text, TOO_MANY_TO_REMOVE);
  if (weights.length > 0) throw refusal('weights are for /add: a replica is removed whole');
  if (addresses.length > 0) throw refusal('addresses are for /add: a replica is removed by its hostname');
  checkQuery(query, 'dry-run', 'only-named');
  const present = members(ports.state());
  const asked = new Set(hostnames.map(foldedHostname));
  const isAsked = (one: ReplicaRef) => asked.has(foldedHostname(one.hostname));
  const chosen = present.filter(isAsked);
  if (query.has('only-named')) checkOnlyNamed(n, hostnames, chosen);
  const others = present.filter((one) => !isAsked(one));
  const named = chosen.length;
  // If n is more than there are, all leave: scripts clean up this way.
  if (n > chosen.length) chosen.push(...leaversOf(ports, others, n - chosen.length, chosen));
  if (query.has('dry-run')) return imagined(ports, ports.imagine.removed(chosen));
  tellUnnamed(ports.log, chosen.slice(named), hostnames, present);
  if (chosen.length > 0) await ports.remove(chosen);
  return rep(ports);
}

type LeaverPorts = Pick<ChangePorts, 'imagine' | 'ringOf' | 'slots' | 'random'>;

/** So many of `others`, picked so that the ring stays as even as it can when `chosen` leave too. */
export function leaversOf(
  ports: LeaverPorts,
  others: readonly ReplicaRef[],
  count: number,
  chosen: readonly ReplicaRef[],
): readonly ReplicaRef[] {
  return chooseLeavers(leaverChoice(ports, others, count, chosen));
}

/** What `leaversOf` weighs. */
export function leaverChoice(
  ports: LeaverPorts,
  others: readonly ReplicaRef[],
  count: number,
  chosen: readonly ReplicaRef[],
): LeaverChoice<ReplicaRef> {
  return {
    candidates: others.toSorted((a, b) => a.seat - b.seat),
    count,
    unevennessWithout: (leavers) => {
      const after = ports.imagine.removed([...chosen, ...leavers]);
      return sharesOf(ports.ringOf(placement(after)), weightsOf(after)).maxOverMean;
    },
    mostWeighed: Math.max(1, Math.floor(MOST_SLOTS_WEIGHED / ports.slots)),
    random: ports.random,
  };
}

/**
 * Whether that /rm would only end replicas that do not serve yet. It must not wait for the change that waits for them.
 */
export function endsStartsOnly(ports: ChangePorts, text: string): boolean {
  try {
    const { n, hostnames } = parseChange(text, TOO_MANY_TO_REMOVE);
    const { seats } = ports.state();
    const isStarting = (hostname: string) =>
      seats.some(({ phase, replica }) => phase !== 'serving' && sameHostname(replica.hostname, hostname));
    return n === hostnames.length && hostnames.every(isStarting);
  } catch {
    // A bad body is refused, with the reason, when its turn comes.
    return false;
  }
}

export async function killReplica(ports: ChangePorts, text: string): Promise<unknown> {
  const hostname = parseKill(text);
  const seat = seatNamed(ports.state(), hostname);
  if (seat.isGiven) throw refusal(`${seat.replica.hostname} is run by somebody else: nothing here can end it`);
  if (seat.phase !== 'serving') throw refusal(`${seat.replica.hostname} does not serve yet: there is nothing to kill`);
  await ports.kill(seat.replica);
  return { killed: seat.replica.hostname };
}

/** The seat whose replica has that name. Throws if there is none. */
export function seatNamed(state: FleetState, hostname: string): Seat {
  const seat = state.seats.find(({ replica }) => sameHostname(replica.hostname, hostname));
  if (seat === undefined) throw refusal(`hostname must be that of a replica, not ${JSON.stringify(hostname)}`);
  return seat;
}

// The answer of /rep as it would be, and what would move: exact parts of all slots, by hostname.
function imagined(ports: ChangePorts, after: FleetState): unknown {
  const before = ports.state();
  const [ringBefore, ringAfter] = [before, after].map((state) => ports.ringOf(placement(state))) as [
    HashRing,
    HashRing,
  ];
  const moves = movesBetween(ringBefore, ringAfter);
  const name = (seat: SeatId) => hostnameIn(before, seat) ?? hostnameIn(after, seat);
  const { bySeat, maxOverMean } = sharesOf(ringAfter, weightsOf(after));
  return {
    ...repOf(after),
    dryRun: true,
    moved: moves.reduce((sum, move) => sum + move.fraction, 0),
    moves: moves.map(({ from, to, fraction }) => ({ from: name(from), to: name(to), fraction })),
    shares: Object.fromEntries([...bySeat].map(([seat, share]) => [hostnameIn(after, seat), share])),
    maxOverMean,
    points: ringAfter.points.map(({ slot, seat }) => ({ slot, seat, replica: hostnameIn(after, seat) })),
  };
}

function repOf(state: FleetState): { N: number; replicas: string[] } {
  const replicas = members(state).map((replica) => replica.hostname);
  return { N: replicas.length, replicas };
}

/** Refuses unknown names, because a slip such as `?dry_run` would otherwise make the change. */
export function checkQuery(query: URLSearchParams, ...known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw refusal(`the query may have ${known.join(' and ')}, not ${name.slice(0, 100)}`);
  }
}

// The contract has other replicas picked for names that are not there, so the log tells anybody who mistyped a name
// what was picked. Both lists are in one entry because one takes the place of the other.
function tellUnnamed(
  log: Log,
  picked: readonly ReplicaRef[],
  hostnames: readonly string[],
  present: readonly ReplicaRef[],
): void {
  if (picked.length === 0) return;
  const there = new Set(present.map((one) => foldedHostname(one.hostname)));
  const notThere = hostnames.filter((hostname) => !there.has(foldedHostname(hostname)));
  const details = { picked: picked.map((one) => one.hostname) };
  if (notThere.length === 0) log.info('removal-picked', details);
  else log.warn('removal-picked', { ...details, notThere: notThere.slice(0, MOST_TOLD), safely: '/rm?only-named' });
}

// Without this check, another replica would be picked for a name that has gone meanwhile, as the contract of /rm says.
function checkOnlyNamed(n: number, hostnames: readonly string[], chosen: readonly ReplicaRef[]): void {
  if (n !== hostnames.length) {
    throw refusal(`n must be the number of hostnames with only-named, ${hostnames.length}, not ${n}`);
  }
  const found = new Set(chosen.map((one) => foldedHostname(one.hostname)));
  hostnames.forEach((hostname, index) => {
    if (found.has(foldedHostname(hostname))) return;
    throw refusal(`hostnames[${index}] must be that of a replica: there is no ${hostname}`);
  });
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
