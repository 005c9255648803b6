import t from 'tap';
import { firstRequestId, nextRequestId } from '../../lib/core/ring/request-ids.ts';

t.test('each of the 900,000 six-digit ids is used once before any is used again', async (t) => {
  const first = firstRequestId(4_294_967_295);
  const seen = new Set<number>();
  let id = first;
  for (let count = 0; count < 900_000; count++) {
    seen.add(id);
    id = nextRequestId(id);
  }
  t.equal(seen.size, 900_000);
  t.equal(id, first);
  t.equal(Math.min(...[...seen].slice(0, 1000), 100_000), 100_000);
  t.notOk([...seen].some((one) => one < 100_000 || one > 999_999));
});

t.test('at every moment the ids used are spread evenly: of any 1,000 in a row, 100 ± 3 in each tenth', async (t) => {
  let id = firstRequestId(7);
  for (let round = 0; round < 50; round++) {
    const tenths = new Array<number>(10).fill(0);
    for (let count = 0; count < 1000; count++) {
      const tenth = Math.floor((id - 100_000) / 90_000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      id = nextRequestId(id);
    }
    t.ok(Math.min(...tenths) >= 97 && Math.max(...tenths) <= 103, `${tenths}`);
  }
});
