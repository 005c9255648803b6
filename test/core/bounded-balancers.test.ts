// Bounded load with several balancers that tell each other nothing: lib/README.md, "Several balancers", has the proof of
// what follows for all of them together.

import t from 'tap';
import { mostInFlight } from '../../lib/core/ring/bounded-load.ts';
import { buildRing } from '../../lib/core/ring/hashes/hash-pair.ts';
import { hashPair } from '../../lib/core/ring/hashes/table.ts';
import { type Key, ringPolicy } from '../../lib/core/ring/policy.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';
import { random, runSeed } from '../fixtures/random.ts';

const SEATS = 12;
const PART = 1 / SEATS;
const PAIR = hashPair('even', 512, 9, () => new Uint8Array());
const RING = buildRing(new Map(Array.from({ length: SEATS }, (_, index) => [index + 1, index + 1])), PAIR, 512, 9);

/** A balancer as the routing table has it: it knows its own requests in flight and no others. */
class Balancer {
  readonly #policy = ringPolicy(RING, PAIR);
  readonly #factor: number;
  readonly #floor: number;
  readonly loads = new Map<SeatId, number>();
  /** The requests in flight here, with the last one, when that seat was last given one. */
  readonly atLast = new Map<SeatId, number>();
  inFlight = 0;

  constructor(factor: number, floor: number) {
    this.#factor = factor;
    this.#floor = floor;
  }

  begin(key: Key): SeatId {
    const most = mostInFlight(this.#factor, this.inFlight, PART, this.#floor);
    const seat = this.#policy.pick(key, (one) => (this.loads.get(one) ?? 0) < most);
    if (seat === undefined) throw new Error('there is always room: the bounds add up to more than is in flight');
    this.inFlight += 1;
    this.loads.set(seat, (this.loads.get(seat) ?? 0) + 1);
    this.atLast.set(seat, this.inFlight);
    return seat;
  }

  end(seat: SeatId): void {
    this.inFlight -= 1;
    this.loads.set(seat, (this.loads.get(seat) ?? 0) - 1);
  }
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0);

t.test('whatever comes and goes, no replica has more than the sum of the bounds, nor c · p · M + B · f', async (t) => {
  const seed = runSeed();
  const drawn = random(seed);
  for (const [factor, floor] of [
    [1, 1],
    [1.25, 1],
    [1.25, 8],
    [2, 3],
  ] as const) {
    const balancers = Array.from({ length: 3 }, () => new Balancer(factor, floor));
    const under: { balancer: Balancer; seat: SeatId }[] = [];
    let broken = '';
    let fullest = 0;
    for (let step = 0; step < 20_000; step++) {
      // Waves, so that many end after many have begun; most keys are few, and one comes at every fourth request.
      const begins = drawn.chance(step % 2000 < 1000 ? 0.6 : 0.4);
      if (begins || under.length === 0) {
        const balancer = balancers[drawn.below(3)] as Balancer;
        under.push({ balancer, seat: balancer.begin(drawn.chance(0.25) ? 7 : drawn.below(40) * 7919) });
      } else {
        const [one] = under.splice(drawn.below(under.length), 1);
        one?.balancer.end(one.seat);
      }
      for (let seat = 1; seat <= SEATS; seat++) {
        const load = sum(balancers.map(({ loads }) => loads.get(seat) ?? 0));
        const atLast = balancers.map((balancer) => balancer.atLast.get(seat) ?? 0).filter((all) => all > 0);
        const bounds = atLast.map((all) => mostInFlight(factor, all - 1, PART, floor));
        fullest = Math.max(fullest, load / Math.max(1, sum(bounds)));
        if (load > sum(bounds)) broken ||= `seat ${seat} has ${load} at step ${step}, over ${sum(bounds)}`;
        if (load > factor * PART * sum(atLast) + atLast.length * floor + 1e-9)
          broken ||= `seat ${seat} at step ${step}`;
      }
    }
    t.equal(broken, '', `factor ${factor}, floor ${floor}, seed ${seed}`);
    t.equal(fullest, 1, 'and some replica has as many as that');
  }
});

t.test('a request for each balancer is what rounding costs: all may be at one replica', async (t) => {
  const balancers = Array.from({ length: 3 }, () => new Balancer(1.25, 1));
  t.same(new Set(balancers.map((balancer) => balancer.begin(7))).size, 1);
  t.equal(mostInFlight(1.25, 2, PART), 1, 'where one balancer with all three would have parted them');
});

t.test('while requests only come, it is a bound on what is in flight now', async (t) => {
  const balancers = Array.from({ length: 3 }, () => new Balancer(1.25, 1));
  for (let one = 0; one < 3000; one++) (balancers[one % 3] as Balancer).begin(7);
  for (let seat = 1; seat <= SEATS; seat++) {
    const load = sum(balancers.map(({ loads }) => loads.get(seat) ?? 0));
    t.ok(load <= 1.25 * PART * 3000 + 3, `${load}`);
  }
});
