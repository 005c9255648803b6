import fc from 'fast-check';
import t from 'tap';
import { COUNTED_KEYS, HotKeys, mergeHotKeys, RecentHotKeys } from '../../lib/core/traffic/hot-keys.ts';

t.test('few keys are counted exactly, most frequent first', async (t) => {
  const hot = new HotKeys();
  for (const key of [7, 5, 7, 9, 7, 5]) hot.count(key);
  t.same(hot.reading, {
    total: 6,
    keys: [
      { key: 7, count: 3, error: 0 },
      { key: 5, count: 2, error: 0 },
      { key: 9, count: 1, error: 0 },
    ],
  });
});

t.test('of any number of keys, each frequent one is there, and its count is right within its error', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 1, max: 3 }), (seed, power) => {
      const hot = new HotKeys();
      const counts = new Map<number, number>();
      let state = seed;
      for (let count = 0; count < 5000; count++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        const key = Math.floor(2000 * (state / 2 ** 32) ** power);
        hot.count(key);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      const { total, keys } = hot.reading;
      const found = new Map(keys.map((one) => [one.key, one]));
      const isRight = keys.every(({ key, count, error }) => {
        const real = counts.get(key) ?? 0;
        return real <= count && real >= count - error;
      });
      const frequent = [...counts].filter(([, count]) => count > total / COUNTED_KEYS);
      const sum = keys.reduce((all, { count }) => all + count, 0);
      return total === 5000 && sum === 5000 && isRight && frequent.every(([key]) => found.has(key));
    }),
    { numRuns: 40 },
  );
});

t.test('what is longer ago than two periods is forgotten', async (t) => {
  const hot = new RecentHotKeys(undefined, 1000);
  hot.onTick(5000);
  hot.count(1);
  hot.onTick(5999);
  hot.count(1);
  t.match(hot.reading.keys, [{ key: 1, count: 2 }]);
  hot.onTick(6000);
  hot.count(2);
  hot.count(1);
  t.match(hot.reading, {
    total: 4,
    keys: [
      { key: 1, count: 3 },
      { key: 2, count: 1 },
    ],
  });
  hot.onTick(7000);
  t.match(hot.reading, {
    total: 2,
    keys: [
      { key: 1, count: 1 },
      { key: 2, count: 1 },
    ],
  });
  hot.onTick(8000);
  t.same(hot.reading, { total: 0, keys: [] });
});

t.test('readings of several threads are put together', async (t) => {
  const one = { total: 10, keys: [{ key: 1, count: 6, error: 1 }] };
  const other = {
    total: 5,
    keys: [
      { key: 2, count: 3, error: 0 },
      { key: 1, count: 2, error: 2 },
    ],
  };
  t.same(mergeHotKeys(one, other), {
    total: 15,
    keys: [
      { key: 1, count: 8, error: 3 },
      { key: 2, count: 3, error: 0 },
    ],
  });
});

t.test('of a key whose cookie is learned the home of its last request is told, and no other', async (t) => {
  const hot = new HotKeys();
  hot.count(7, 2);
  hot.count(5);
  hot.count(7, 3);
  t.same(hot.reading.keys, [
    { key: 7, count: 2, error: 0, home: 3 },
    { key: 5, count: 1, error: 0 },
  ]);
  hot.count(7);
  t.same(hot.reading.keys[0], { key: 7, count: 3, error: 0 }, 'it is nobody’s any more');
  const recent = new RecentHotKeys(undefined, 1000);
  recent.onTick(1000);
  recent.count(7, 2);
  recent.onTick(2000);
  t.match(recent.reading.keys, [{ key: 7, home: 2 }], 'also in a period in which it did not come');
  recent.count(7, 4);
  t.match(recent.reading.keys, [{ key: 7, count: 2, home: 4 }]);
  for (let key = 100; key < 100 + 3 * COUNTED_KEYS; key++) hot.count(key);
  t.ok(
    hot.reading.keys.every((one) => !('home' in one)),
    'whoever takes its place has none of it',
  );
});
