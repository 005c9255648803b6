// Several balancers that follow one list, in virtual time: each looks at it when its own turn comes, and meanwhile a
// key may lead to different replicas by two of them. How many keys that concerns, and for how long. The fleet, the ring
// and the keys are those of the program; there is no network and no request.

import { observe } from '../../../lib/core/fleet/fleet.ts';
import { emptyFleet, type FleetState } from '../../../lib/core/fleet/fleet-state.ts';
import type { Member } from '../../../lib/core/ports.ts';
import type { HashPair } from '../../../lib/core/ring/hashes/hash-pair.ts';
import { hashPair } from '../../../lib/core/ring/hashes/table.ts';
import { hashText } from '../../../lib/core/ring/hashes/text.ts';
import { type KeptRing, RingKeeper } from '../../../lib/core/ring/ring-keeper.ts';
import { FLEET_RULES } from '../../fixtures/fleet-rules.ts';
import { random } from '../../fixtures/random.ts';

export interface Terms {
  readonly balancers: number;
  readonly replicas: number;
  readonly keys: number;
  readonly slots: number;
  readonly virtualNodes: number;
  /** Each balancer looks at the list so often, in ms, beginning at a time of its own. */
  readonly lookEveryMs: number;
  readonly seed: number;
}

/** A list that is written, and when, in ms after the scenario began. */
interface Written {
  readonly atMs: number;
  readonly members: readonly Member[];
}

export interface Outcome {
  readonly scenario: string;
  /** The part of the keys that lead elsewhere in the end than in the beginning. */
  readonly moved: number;
  /** The largest part of the keys that any two balancers have disagreed about at a time. */
  readonly disputedAtMost: number;
  /** The same, as a mean over the time from the first list to the agreement. */
  readonly disputedOnAverage: number;
  /** From the last list that was written until all balancers have the same ring, in ms. */
  readonly agreedAfterMs: number;
}

/** One balancer: what it has seen, and the ring that it has made of that. */
class Follower {
  readonly #rings: RingKeeper;
  #state: FleetState;
  #kept: KeptRing;

  /** @param pair may be one for all: it keeps the layout of its ring, which takes longer than all else. */
  constructor({ slots, virtualNodes }: Terms, members: readonly Member[], seed: number, pair: HashPair) {
    this.#rings = new RingKeeper({ pair, slots, virtualNodes, slowStartMs: 0 });
    this.#state = emptyFleet(seed);
    this.#kept = this.#rings.keep(this.#state, 0);
    this.see(members);
  }

  see(members: readonly Member[]): void {
    this.#state = observe(this.#state, { type: 'members', members, slowly: true, atMs: 0 }, FLEET_RULES);
    this.#kept = this.#rings.keep(this.#state, 0);
  }

  get digest(): string {
    return this.#kept.ring.digest();
  }

  owners(keys: Uint32Array): Uint32Array {
    const { policy } = this.#kept;
    return keys.map((key) => policy.pick(key, () => true) ?? 0);
  }
}

/** Plays all scenarios, one after the other, each from the same beginning. */
export function* playBalancers(terms: Terms): Generator<Outcome> {
  const pair = pairOf(terms);
  const keys = new Uint32Array(terms.keys).map((_, index) => hashText(`user-${index}`));
  const first = membersOf(1, terms.replicas);
  const [tenth, twentieth] = [Math.ceil(terms.replicas / 10), Math.ceil(terms.replicas / 20)];
  const scenarios: Record<string, readonly Written[]> = {
    'one joins': [{ atMs: 0, members: [...first, ...membersOf(terms.replicas + 1, 1)] }],
    'one leaves': [{ atMs: 0, members: first.toSpliced(Math.floor(terms.replicas / 2), 1) }],
    'a tenth leaves at once': [{ atMs: 0, members: first.slice(0, -tenth) }],
    'a tenth is replaced, one each 100 ms': Array.from({ length: tenth }, (_, index) => ({
      atMs: 100 * index,
      members: first.map((member, at) => (at <= index ? { ...member, hostname: `next${at}` } : member)),
    })),
    'a twentieth joins, one each 50 ms': Array.from({ length: twentieth }, (_, index) => ({
      atMs: 50 * index,
      members: [...first, ...membersOf(terms.replicas + 1, index + 1)],
    })),
  };
  for (const [index, [scenario, written]] of Object.entries(scenarios).entries()) {
    yield play(scenario, { written, first, keys, pair }, { ...terms, seed: terms.seed + index });
  }
}

/** The largest load over the mean, and the standard deviation over the mean, of those keys among all replicas. */
export function spreadOf(terms: Terms): { readonly maxOverMean: number; readonly deviation: number } {
  const keys = new Uint32Array(terms.keys).map((_, index) => hashText(`user-${index}`));
  const counts = new Map<number, number>();
  const owners = new Follower(terms, membersOf(1, terms.replicas), terms.seed, pairOf(terms)).owners(keys);
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const mean = terms.keys / terms.replicas;
  const squares = [...counts.values()].reduce((sum, count) => sum + (count - mean) ** 2, 0);
  const missing = terms.replicas - counts.size;
  return {
    maxOverMean: Math.max(...counts.values()) / mean,
    deviation: Math.sqrt((squares + missing * mean ** 2) / terms.replicas) / mean,
  };
}

/** So many balancers with what they keep of the fleet and its ring, to be weighed. */
export function followersOf(terms: Terms): readonly object[] {
  const members = membersOf(1, terms.replicas);
  return Array.from({ length: terms.balancers }, (_, index) => new Follower(terms, members, index, pairOf(terms)));
}

function pairOf({ slots, virtualNodes }: Terms): HashPair {
  return hashPair('even', slots, virtualNodes, () => new Uint8Array());
}

interface Play {
  readonly written: readonly Written[];
  /** The list that all begin with. */
  readonly first: readonly Member[];
  readonly keys: Uint32Array;
  readonly pair: HashPair;
}

function play(scenario: string, { written, first, keys, pair }: Play, terms: Terms): Outcome {
  const drawn = random(terms.seed);
  const followers = Array.from({ length: terms.balancers }, (_, index) => new Follower(terms, first, index, pair));
  const phases = followers.map(() => drawn.next() * terms.lookEveryMs);
  const lastMs = written.at(-1)?.atMs ?? 0;
  // Owners by the digest of each ring that some balancer has, made by the one that had it first.
  const known = new Map<string, Uint32Array>();
  const disputed = () => {
    const rings = new Map(followers.map((follower) => [follower.digest, follower]));
    for (const digest of known.keys()) if (!rings.has(digest)) known.delete(digest);
    for (const [digest, follower] of rings) if (!known.has(digest)) known.set(digest, follower.owners(keys));
    return partDisputed([...rings.keys()].map((digest) => known.get(digest) as Uint32Array));
  };
  const before = followers[0]?.owners(keys) ?? new Uint32Array();
  const looks = followers
    .flatMap((follower, index) => looksOf(phases[index] ?? 0, lastMs, terms).map((atMs) => ({ atMs, follower })))
    .sort((a, b) => a.atMs - b.atMs);
  let [most, sum, sinceMs, part, agreedMs] = [0, 0, 0, 0, lastMs];
  for (const { atMs, follower } of looks) {
    sum += part * (atMs - sinceMs);
    sinceMs = atMs;
    const list = written.findLast((one) => one.atMs <= atMs);
    const digest = follower.digest;
    if (list !== undefined) follower.see(list.members);
    if (follower.digest === digest) continue;
    part = disputed();
    most = Math.max(most, part);
    agreedMs = atMs;
  }
  const [end = new Uint32Array()] = followers.map((follower) => follower.owners(keys));
  if (part !== 0) throw new Error(`${scenario}: they do not agree in the end`);
  return {
    ...{ scenario, disputedAtMost: most, moved: partDisputed([before, end]) },
    disputedOnAverage: agreedMs === 0 ? 0 : sum / agreedMs,
    agreedAfterMs: Math.max(0, agreedMs - lastMs),
  };
}

// Until one after the last list.
function looksOf(phaseMs: number, lastMs: number, { lookEveryMs }: Terms): number[] {
  const count = Math.floor((lastMs + lookEveryMs - phaseMs) / lookEveryMs) + 1;
  return Array.from({ length: count }, (_, index) => phaseMs + index * lookEveryMs);
}

function partDisputed(owners: readonly Uint32Array[]): number {
  const [first, ...others] = owners;
  if (first === undefined || others.length === 0) return 0;
  let disputed = 0;
  for (let index = 0; index < first.length; index++) {
    if (others.some((other) => other[index] !== first[index])) disputed += 1;
  }
  return disputed / first.length;
}

function membersOf(firstSeat: number, count: number): Member[] {
  return Array.from({ length: count }, (_, index) => {
    const seat = firstSeat + index;
    const host = `10.${seat >>> 16}.${(seat >>> 8) & 255}.${seat & 255}`;
    return { places: [seat], hostname: `app${seat}`, address: { type: 'tcp', host, port: 80 }, isDrained: false };
  });
}
