// The list of members that a lookup means: the same for all who get the same answer.

import t from 'tap';
import { listOfFound, type SeenMember } from '../../lib/core/members/found-list.ts';
import type { FoundMember } from '../../lib/core/ports.ts';
import { random } from '../fixtures/random.ts';

const TERMS = { settleMs: 10_000, maxPlace: 512 };

function found(hostname: string, seat?: number): FoundMember {
  return { hostname, address: { type: 'tcp', host: hostname, port: 80 }, ...(seat === undefined ? {} : { seat }) };
}

function listed(members: readonly FoundMember[], before: readonly SeenMember[] = [], atMs = 0, terms = TERMS) {
  return listOfFound(members, before, terms, atMs);
}

const seatsOf = ({ members }: ReturnType<typeof listed>) =>
  Object.fromEntries(members.map(({ hostname, places }) => [hostname, places[0]]));

t.test('a seat is what the source says, or the number that a name ends in, counted from one', async (t) => {
  const names = ['app-0.app.test:80', 'app-11.app.test:80', 'app-2', 'web-5:80'];
  t.same(seatsOf(listed(names.map((name) => found(name)))), {
    'app-0.app.test:80': 1,
    'app-2': 3,
    'web-5:80': 6,
    'app-11.app.test:80': 12,
  });
  t.same(seatsOf(listed([found('app.3', 3), found('app.1', 1)])), { 'app.1': 1, 'app.3': 3 });
});

t.test(
  'without a number, and where the number is taken or beyond the ring, the name is hashed to a place',
  async (t) => {
    const odd = [found('10.0.0.7:80'), found('app-1.a:80'), found('app-1.b:80'), found('app-9999:80'), found('v-2x')];
    const seats = seatsOf(listed(odd));
    t.equal(seats['app-1.a:80'], 2);
    t.equal(new Set(Object.values(seats)).size, 5);
    t.ok(Object.values(seats).every((seat = 0) => seat >= 1 && seat <= 512));
    const full = listed(
      Array.from({ length: 9 }, (_, at) => found(`10.0.0.${at}:80`)),
      [],
      0,
      { ...TERMS, maxPlace: 8 },
    );
    t.same(
      full.members.map(({ places }) => places[0]),
      [1, 2, 3, 4, 5, 6, 7, 8],
      'a full ring has them all but those for whom there is no place',
    );
  },
);

t.test(
  'balancers that saw other answers before, in other orders, have the same list after the same answer',
  async (t) => {
    const drawn = random(7);
    for (let round = 0; round < 200; round++) {
      const names = Array.from({ length: 40 }, (_, at) =>
        found(at % 3 === 0 ? `app-${at}.test:80` : `10.1.0.${at}:80`),
      );
      const some = () => names.filter(() => drawn.next() < 0.6);
      const last = some();
      const lists = [1, 2, 3].map((balancer) => {
        let seen: readonly SeenMember[] = [];
        for (let look = 0; look < balancer; look++) seen = listed(some(), seen, look).seen;
        const shuffled = last.toSorted(() => drawn.next() - 0.5);
        return listed(shuffled, listed(shuffled, seen, 20_000).seen, 40_000).members;
      });
      t.same(lists[1], lists[0]);
      t.same(lists[2], lists[0]);
    }
  },
);

t.test('a member that an answer leaves out stays until it has been missing for long enough', async (t) => {
  const [one, two] = [found('app-0'), found('app-1')] as const;
  const first = listed([one, two], [], 0);
  const missed = listed([one], first.seen, 9_999);
  t.same(seatsOf(missed), { 'app-0': 1, 'app-1': 2 });
  t.same(seatsOf(listed([one, two], missed.seen, 15_000)), { 'app-0': 1, 'app-1': 2 });
  t.same(seatsOf(listed([one], missed.seen, 10_000)), { 'app-0': 1 });
  t.same(seatsOf(listed([one], first.seen, 1, { ...TERMS, settleMs: 0 })), { 'app-0': 1 }, 'where a list is exact');
  const moved = { ...two, address: { type: 'tcp', host: 'other', port: 80 } } as const;
  const [, after] = listed([one, moved], first.seen, 1).members;
  t.same(after, { places: [2], hostname: 'app-1', address: moved.address, isDrained: false }, 'and may move');
});
