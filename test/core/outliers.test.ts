// Which replicas stand out against the others, over simulated seconds: each has requests whose waits and errors are
// drawn, and gets them by the shares that the look before gave.

import t from 'tap';
import type { Route } from '../../lib/core/fleet/fleet-state.ts';
import { type Eased, pointOf, reasonText, shareText, withinThird } from '../../lib/core/ring/easing.ts';
import { compare, crowdOf, spanBetween } from '../../lib/core/traffic/comparison.ts';
import { SEAT_LAYOUT, SeatMeasures, WAIT_CELLS } from '../../lib/core/traffic/measures.ts';
import { Outliers } from '../../lib/core/traffic/outliers.ts';
import { type Random, random, runSeed } from '../fixtures/random.ts';

const SEED = runSeed();
t.comment(`SEED=${SEED}`);
// Of each kind of noise.
const SECONDS = Number(process.env.SECONDS ?? 2000);

/** What a replica does with a request: how long it lets wait, and whether it fails it. */
type Behaviour = (chance: Random) => { readonly ms: number; readonly fails?: boolean };

const NORMAL: Behaviour = (chance) => ({ ms: 2 + 4 * chance.next() });
const SLOW: Behaviour = (chance) => ({ ms: 300 + 10 * chance.next() });
const HALF_FAILS: Behaviour = (chance) => ({ ms: 3, fails: chance.chance(0.5) });

const routeTo = (seat: number, weight = 1, incarnation = seat): Route => ({
  replica: { seat, incarnation, hostname: `server${seat}` },
  address: { type: 'unix', path: '/a.sock' },
  suspected: false,
  weight,
});
const routesOf = (count: number) => Array.from({ length: count }, (_, index) => routeTo(index + 1));

/** One request at a seat: it ends well, with a 500, or lost after an attempt elsewhere. */
function ask(measures: SeatMeasures, { ms, fails = false }: ReturnType<Behaviour>): void {
  const times = { startedMs: 1, placedMs: 1, askedMs: 1, answeredMs: 1 + ms, endedMs: 1 + ms };
  measures.reply('GET', fails ? 500 : 200, times);
}

class Simulation {
  routes: Route[];
  eased: readonly Eased[] = [];
  behave: (seat: number) => Behaviour;
  /** Requests in all, in a second. */
  rate: number;
  readonly #outliers = new Outliers();
  readonly #seats = new Map<number, SeatMeasures>();
  readonly #chance: Random;

  constructor(routes: Route[], rate: number, behave: (seat: number) => Behaviour, seed = SEED) {
    this.routes = routes;
    this.rate = rate;
    this.behave = behave;
    this.#chance = random(seed);
  }

  /** A second. Gives how many requests each seat got. */
  second(): Map<number, number> {
    const got = new Map<number, number>();
    for (let request = 0; request < this.rate; request++) {
      const first = this.#chance.below(this.routes.length);
      const point = this.#chance.next();
      const seats = this.routes.map((_, step) => this.routes[(first + step) % this.routes.length]?.replica.seat ?? 0);
      const seat = seats.find((one) => point < this.shareOf(one)) ?? (seats[0] as number);
      ask(this.#measuresOf(seat), this.behave(seat)(this.#chance));
      got.set(seat, (got.get(seat) ?? 0) + 1);
    }
    const cells = new Map(this.routes.map(({ replica: { seat } }) => [seat, this.#measuresOf(seat).cells.slice()]));
    this.eased = this.#outliers.look(this.routes, cells);
    return got;
  }

  seconds(count: number): void {
    for (let second = 0; second < count; second++) this.second();
  }

  /** Seconds until that holds. */
  until(holds: () => boolean, most = 600): number {
    for (let second = 0; second <= most; second++) {
      if (holds()) return second;
      this.second();
    }
    throw new Error(`not within ${most} s; SEED=${SEED}`);
  }

  shareOf(seat: number): number {
    return this.eased.find(({ replica }) => replica.seat === seat)?.share ?? 1;
  }

  get easedSeats(): number[] {
    return this.eased.map(({ replica }) => replica.seat);
  }

  #measuresOf(seat: number): SeatMeasures {
    const known = this.#seats.get(seat) ?? new SeatMeasures();
    this.#seats.set(seat, known);
    return known;
  }
}

t.test('a slow replica gets ever less, down to an eighth, while it is slow; then all, by itself', async (t) => {
  let slow: readonly number[] = [4];
  const all = new Simulation(routesOf(6), 300, (seat) => (slow.includes(seat) ? SLOW : NORMAL));
  all.seconds(8);
  t.same(all.eased, [], 'it has time to warm up, and two bad seconds are not enough');
  const shares: number[] = [];
  all.until(() => {
    shares.push(all.shareOf(4));
    return all.shareOf(4) === 1 / 8;
  }, 12);
  t.same([...new Set(shares)], [1, 1 / 2, 1 / 4, 1 / 8]);
  t.match(all.eased, [{ replica: { hostname: 'server4' }, why: { type: 'slow' } }]);
  const { why } = all.eased[0] as Eased;
  t.match(reasonText(why), /^slow: (304|256|362) ms, others [345] ms$/);
  all.seconds(60);
  t.same(all.easedSeats, [4], 'as long as it is slow');
  const got = Array.from({ length: 20 }, () => all.second().get(4) ?? 0).reduce((sum, one) => sum + one, 0);
  t.ok(got < (20 * 300) / 6 / 4, `${got} of 1000 requests`);
  slow = [];
  const rising: number[] = [];
  const took = all.until(() => {
    rising.push(all.shareOf(4));
    return all.eased.length === 0;
  });
  t.same([...new Set(rising)], [1 / 8, 1 / 4, 1 / 2, 1], 'step by step');
  t.ok(took >= 6 && took <= 40, `${took} s`);
  all.seconds(100);
  t.same(all.eased, []);
});

t.test('one that fails half of its requests likewise', async (t) => {
  let failing: Behaviour = HALF_FAILS;
  const all = new Simulation(routesOf(6), 300, (seat) => (seat === 2 ? failing : NORMAL));
  all.until(() => all.shareOf(2) === 1 / 8);
  t.match(all.eased, [{ replica: { hostname: 'server2' }, why: { type: 'erring', othersPart: 0 } }]);
  t.match(reasonText((all.eased[0] as Eased).why), /^fails: \d+ %, others 0 %$/);
  failing = NORMAL;
  all.until(() => all.eased.length === 0);
});

t.test('equal replicas: over 10,000 seconds of noise of five kinds nobody is eased', async (t) => {
  const kinds: Record<string, [rate: number, behaviour: Behaviour]> = {
    'a tail that goes up to seconds': [150, (chance) => ({ ms: 10 * (1 / Math.max(1e-4, chance.next()) - 1) })],
    'every second request costs 300 ms': [150, (chance) => ({ ms: chance.chance(0.5) ? 1 : 300 })],
    'a tenth fails': [150, (chance) => ({ ms: 5, fails: chance.chance(0.1) })],
    'half fails, and few requests': [30, (chance) => ({ ms: 5, fails: chance.chance(0.5) })],
    'few requests, of any length': [30, (chance) => ({ ms: 1000 * chance.next() ** 4 })],
  };
  for (const [name, [rate, behaviour]] of Object.entries(kinds)) {
    const all = new Simulation(routesOf(6), rate, () => behaviour);
    let eased = 0;
    for (let second = 0; second < SECONDS; second++) {
      all.second();
      eased += all.eased.length;
    }
    t.equal(eased, 0, name);
  }
});

t.test('all slow together, or most of them: nobody stands out', async (t) => {
  for (const slow of [3, 4, 5, 6]) {
    const all = new Simulation(routesOf(6), 300, (seat) => (seat <= slow ? SLOW : NORMAL));
    let most = 0;
    for (let second = 0; second < 100; second++) {
      all.second();
      most = Math.max(most, all.eased.length);
    }
    t.equal(most, slow === 3 ? 2 : 0, `${slow} of 6`);
  }
});

t.test('a short time is nothing, however many times another it is; nor is one hiccup', async (t) => {
  const millis = new Simulation(routesOf(6), 300, (seat) => () => ({ ms: seat === 1 ? 15 : 1 }));
  millis.seconds(60);
  t.same(millis.eased, []);
  let second = 0;
  const hiccups = new Simulation(routesOf(6), 300, (seat) => (seat === 1 && second % 3 < 2 ? SLOW : NORMAL));
  for (; second < 120; second++) {
    hiccups.second();
    t.same(hiccups.eased, []);
  }
});

t.test(
  'never more than a third, by number and weight, whatever the replicas do and however many there are',
  async (t) => {
    const chance = random(SEED);
    const kinds = [NORMAL, NORMAL, SLOW, HALF_FAILS, (one: Random) => ({ ms: 1000 * one.next() })] as const;
    for (let history = 0; history < 30; history++) {
      const weights = Array.from({ length: 12 }, () => (chance.chance(0.8) ? 1 : 1 + chance.below(4)));
      const behaviours = weights.map(() => kinds[chance.below(kinds.length)] as Behaviour);
      const everybody = weights.map((weight, index) => routeTo(index + 1, weight));
      const all = new Simulation(everybody, 400, (seat) => behaviours[seat - 1] as Behaviour, chance.below(2 ** 31));
      for (let second = 0; second < 120; second++) {
        if (chance.chance(0.05)) behaviours[chance.below(12)] = kinds[chance.below(kinds.length)] as Behaviour;
        if (chance.chance(0.05)) all.routes = everybody.filter(() => chance.chance(0.7));
        if (all.routes.length === 0) all.routes = everybody;
        all.second();
        const weightOf = (seats: readonly number[]) =>
          seats.reduce((sum, seat) => sum + (weights[seat - 1] as number), 0);
        const there = all.routes.map(({ replica }) => replica.seat);
        const isThird =
          all.eased.length <= Math.floor(there.length / 3) && weightOf(all.easedSeats) <= weightOf(there) / 3;
        const areThere = all.easedSeats.every((seat) => there.includes(seat));
        if (!isThird || !areThere) t.fail(`${all.easedSeats} of ${there}; SEED=${SEED}`);
        for (const { share } of all.eased) if (share < 1 / 8 || share > 1 / 2) t.fail(`a share of ${share}`);
      }
    }
    t.pass('in 3,600 seconds');
  },
);

t.test('a little slower, or a few errors more, is nothing', async (t) => {
  const kinds: Record<string, (seat: number) => Behaviour> = {
    '140 ms where others take 100': (seat) => () => ({ ms: seat === 1 ? 140 : 100 }),
    'three errors of five where others have two': (seat) => (chance) => ({
      ms: 5,
      fails: chance.chance(seat === 1 ? 0.6 : 0.4),
    }),
    'seven errors of a hundred where others have none': (seat) => (chance) => ({
      ms: 5,
      fails: seat === 1 && chance.chance(0.07),
    }),
    'most are late where elsewhere most are not': (seat) => (chance) => ({
      ms: chance.chance(seat === 1 ? 0.6 : 0.4) ? 300 : 5,
    }),
  };
  for (const [name, behave] of Object.entries(kinds)) {
    const all = new Simulation(routesOf(6), 3000, behave);
    all.seconds(30);
    t.same(all.eased, [], name);
  }
});

t.test('the worst come first: errors before waits, and those that are eased before others', async (t) => {
  const doing: Record<number, Behaviour> = { 1: SLOW, 2: () => ({ ms: 900 }), 3: HALF_FAILS };
  const all = new Simulation(routesOf(6), 300, (seat) => doing[seat] ?? NORMAL);
  all.until(() => all.eased.length === 2);
  t.same(all.easedSeats, [3, 2]);
  doing[2] = NORMAL;
  all.until(() => all.easedSeats.includes(1));
  t.same(all.easedSeats, [3, 1], 'when there is room');
  t.equal(all.shareOf(1), 1 / 2);
});

t.test('fewer than three are never eased, and of three one', async (t) => {
  for (const count of [1, 2]) {
    const few = new Simulation(routesOf(count), 100, (seat) => (seat === 1 ? SLOW : NORMAL));
    few.seconds(50);
    t.same(few.eased, []);
  }
  const three = new Simulation(routesOf(3), 100, (seat) => (seat === 1 ? SLOW : NORMAL));
  three.until(() => three.eased.length === 1);
});

t.test('when replicas leave, those that are too many then get all again at once', async (t) => {
  const all = new Simulation(routesOf(6), 300, (seat) => (seat === 1 ? HALF_FAILS : seat === 2 ? SLOW : NORMAL));
  all.until(() => all.eased.length === 2);
  all.routes = all.routes.slice(0, 5);
  all.second();
  t.same(all.easedSeats, [1]);
});

t.test('the next replica of a seat begins anew, with time to warm up', async (t) => {
  const all = new Simulation(routesOf(6), 300, (seat) => (seat === 1 ? SLOW : NORMAL));
  all.until(() => all.eased.length === 1);
  all.routes = [routeTo(1, 1, 100), ...all.routes.slice(1)];
  all.seconds(7);
  t.same(all.eased, []);
  all.until(() => all.eased.length === 1);
  t.equal(all.eased[0]?.replica.incarnation, 100);
});

t.test('with few requests it takes longer; without any, an eased replica gets all back', async (t) => {
  const all = new Simulation(routesOf(6), 30, (seat) => (seat === 1 ? SLOW : NORMAL));
  const took = all.until(() => all.eased.length === 1);
  t.ok(took > 12, `${took} s`);
  all.rate = 3;
  all.until(() => all.shareOf(1) < 1 / 2 || all.eased.length === 0);
  all.rate = 0;
  const back = all.until(() => all.eased.length === 0);
  t.ok(back <= 33, `${back} s`);
  const rare = new Simulation(routesOf(6), 6, (seat) => (seat === 1 ? SLOW : NORMAL));
  rare.seconds(600);
  t.same(rare.eased, [], 'one a second at each is too few to judge anybody');
});

t.test('one that is well only with a share gets more ever later', async (t) => {
  // It is slow with more than a quarter of its requests.
  const all = new Simulation(routesOf(6), 600, (seat) => (seat === 1 && all.shareOf(1) > 1 / 4 ? SLOW : NORMAL));
  const changes: number[] = [];
  let before = 1;
  for (let second = 0; second < 600; second++) {
    all.second();
    const share = all.shareOf(1);
    if (share > before) changes.push(second);
    before = share;
  }
  const half = changes.filter((second) => second >= 300).length;
  t.ok(changes.length - half > half, `${changes.length} steps up, ${half} of them in the second half`);
  t.ok(half >= 1, 'but it is tried');
});

t.test('after a calm minute it is judged as one that never stood out', async (t) => {
  let slow = true;
  const all = new Simulation(routesOf(6), 300, (seat) => (seat === 1 && slow ? SLOW : NORMAL));
  const episode = () => {
    slow = true;
    all.until(() => all.shareOf(1) === 1 / 8);
    slow = false;
    return all.until(() => all.eased.length === 0);
  };
  const first = episode();
  const second = episode();
  t.ok(second > first, `${first} s, then ${second} s`);
  all.seconds(80);
  t.ok(episode() < second);
});

t.test('waits are those in which only the replica was waited for', async (t) => {
  const measures = new SeatMeasures();
  const times = { startedMs: 1, placedMs: 10, askedMs: 20, answeredMs: 30, endedMs: 5000 };
  const waits = () => measures.cells.subarray(SEAT_LAYOUT.waits, SEAT_LAYOUT.waits + WAIT_CELLS);
  const counted = () => waits().reduce((sum, one) => sum + one, 0);
  measures.reply('GET', 200, times);
  t.equal(counted(), 1);
  t.equal(waits()[1 + Math.floor(2 * Math.log2(10))], 1, '10 ms');
  measures.reply('POST', 200, { ...times, askedMs: 0 });
  measures.reply('GET', 101, { ...times, answeredMs: 0 });
  measures.loss('GET', 'failed', 'connection-lost', { ...times, askedMs: 0, answeredMs: 0 });
  measures.loss('GET', 'abandoned', 'tunnel-idle', { ...times, answeredMs: 0 });
  t.equal(counted(), 1, 'neither of a body on its way, nor a tunnel, nor one that was lost');
  measures.loss('GET', 'abandoned', 'client-left', { ...times, answeredMs: 0 });
  measures.loss('GET', 'failed', 'reply-timeout', { ...times, answeredMs: 0, endedMs: 1e9 });
  measures.loss('GET', 'failed', 'bad-reply', times);
  t.equal(counted(), 4, 'whoever gives up has waited so long');
  t.equal(waits().at(-1), 1, 'beyond a minute');
});

t.test('errors are what the replica is to blame for, at whatever attempt', async (t) => {
  const measures = new SeatMeasures();
  const before = measures.cells.slice();
  const times = { startedMs: 1, placedMs: 1, askedMs: 1, answeredMs: 2, endedMs: 2 };
  for (const status of [200, 404, 500, 504]) measures.reply('GET', status, times);
  measures.reply('PUT', 503, times);
  for (const reason of ['stale', 'connect-failed', 'connection-lost']) measures.retry(reason);
  for (const code of ['reply-timeout', 'bad-reply', 'overloaded', 'no-replica'])
    measures.loss('GET', 'failed', code, times);
  measures.loss('GET', 'abandoned', 'client-left', times);
  t.match(spanBetween(before, measures.cells), { attempts: 9, errors: 7 });
  t.match(spanBetween(undefined, measures.cells), { attempts: 9, errors: 7 });
  t.match(spanBetween(undefined, undefined), { attempts: 0, errors: 0, waited: 0 });
});

t.test('lost attempts alone are enough to judge by', async (t) => {
  const spanOf = (make: (measures: SeatMeasures) => void) => {
    const measures = new SeatMeasures();
    for (let request = 0; request < 20; request++) make(measures);
    return spanBetween(undefined, measures.cells);
  };
  const well = spanOf((measures) => ask(measures, { ms: 3 }));
  const dead = spanOf((measures) => measures.retry('connect-failed'));
  const crowd = crowdOf([well, well, dead]);
  t.same(compare(dead, crowd, 20, true), { type: 'erring', part: 1, othersPart: 0 });
  t.equal(compare(well, crowd, 20, true), 'well', 'though there is one other with waits only');
  t.equal(compare(well, crowdOf([well, well]), 20, true), 'unknown', 'against one other');
  t.equal(compare(well, crowdOf([well, well]), 20, false), 'well', 'against two');
  t.equal(compare(well, crowd, 21, true), 'unknown');
});

t.test('a point is spread over 0 to 1 whatever the key and its slot; shares are told as fractions', async (t) => {
  const points = Array.from({ length: 100_000 }, (_, index) => pointOf(100_000 + index));
  for (const share of [1 / 8, 1 / 4, 1 / 2]) {
    const below = points.filter((point) => point < share).length / points.length;
    t.ok(Math.abs(below - share) < 0.01, `${below} for ${share}`);
  }
  t.equal(pointOf(7), pointOf(7));
  t.ok(points.every((point) => point >= 0 && point < 1));
  t.same([1 / 2, 1 / 4, 1 / 8].map(shareText), ['1/2', '1/4', '1/8']);
});

t.test('one that takes no requests is not eased', async (t) => {
  const routes = routesOf(3);
  t.same(withinThird([routeTo(9)], routes), []);
  t.same(withinThird([routeTo(9), routeTo(2), routeTo(1)], routes), [routeTo(2)]);
});
