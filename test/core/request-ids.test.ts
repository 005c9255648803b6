import t from 'tap';
import { requestIdAt } from '../../lib/core/ring/request-ids.ts';

t.test('each of the 900,000 six-digit ids is used once before any is used again', async (t) => {
  const seed = 4_294_967_295;
  const seen = new Set<number>();
  for (let number = 0; number < 900_000; number++) seen.add(requestIdAt(seed, number));
  t.equal(seen.size, 900_000);
  t.equal(requestIdAt(seed, 900_000), requestIdAt(seed, 0));
  t.equal(Math.min(...[...seen].slice(0, 1000), 100_000), 100_000);
  t.notOk([...seen].some((one) => one < 100_000 || one > 999_999));
});

t.test('the sequence goes on however far it has come', async (t) => {
  for (const rounds of [1, 1000, 4000]) {
    for (let number = 0; number < 1000; number++) {
      if (requestIdAt(7, rounds * 900_000 + number) !== requestIdAt(7, number)) t.fail(`${rounds} ${number}`);
    }
  }
});

t.test('at every moment the ids used are spread evenly: of any 1,000 in a row, 100 ± 3 in each tenth', async (t) => {
  let number = 0;
  for (let round = 0; round < 50; round++) {
    const tenths = new Array<number>(10).fill(0);
    for (let count = 0; count < 1000; count++) {
      const tenth = Math.floor((requestIdAt(7, number++) - 100_000) / 90_000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    t.ok(Math.min(...tenths) >= 97 && Math.max(...tenths) <= 103, `${tenths}`);
  }
});
