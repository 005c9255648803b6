import t from 'tap';
import { chooseLeavers } from '../../lib/core/fleet/leavers.ts';

const random = (...numbers: number[]) => {
  let drawn = 0;
  return (limit: number) => (numbers[drawn++ % numbers.length] as number) % limit;
};
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

t.test('the choice after which the rest is evenest', async (t) => {
  const weighed: string[] = [];
  const leavers = chooseLeavers({
    candidates: [1, 2, 3, 4],
    count: 2,
    unevennessWithout: (some) => {
      weighed.push(some.join());
      return Math.abs(sum(some) - 6);
    },
    mostWeighed: 6,
    random: random(0),
  });
  t.same(leavers, [2, 4]);
  t.same(weighed, ['1,2', '1,3', '1,4', '2,3', '2,4', '3,4']);
});

t.test('at random among equals', async (t) => {
  const choose = (number: number) =>
    chooseLeavers({
      candidates: [1, 2, 3, 4],
      count: 1,
      // Differences as small as rounding must not decide.
      unevennessWithout: ([one = 0]) => (one === 3 ? 2 : 1 + one * 1e-12),
      mostWeighed: 10,
      random: random(number),
    });
  t.same([0, 1, 2].map(choose), [[1], [2], [4]]);
});

t.test('where there are too many choices a bounded number is weighed, the last candidates first', async (t) => {
  const weighed: (readonly number[])[] = [];
  const candidates = Array.from({ length: 64 }, (_, index) => index + 1);
  const leavers = chooseLeavers({
    candidates,
    count: 32,
    unevennessWithout: (some) => {
      weighed.push(some);
      return some.length;
    },
    mostWeighed: 20,
    random: random(5, 3, 60, 11),
  });
  t.equal(weighed.length, 20);
  t.same(weighed[0], candidates.slice(32));
  t.ok(weighed.every((some) => some.length === 32 && new Set(some).size === 32));
  t.ok(weighed.includes(leavers));
});

t.test('all where no more are there', async (t) => {
  const never = () => {
    throw new Error('nothing is to be weighed');
  };
  t.same(
    chooseLeavers({ candidates: [1, 2], count: 1e20, unevennessWithout: never, mostWeighed: 1, random: never }),
    [1, 2],
  );
});
