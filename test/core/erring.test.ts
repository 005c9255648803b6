import t from 'tap';
import { noCounters, type ReplicaCounters } from '../../lib/core/traffic/counters.ts';
import { ErringReplicas } from '../../lib/core/traffic/erring.ts';

const reading = (incarnation: number, requests: number, erred: number): ReplicaCounters => ({
  ...noCounters().total,
  seat: incarnation,
  incarnation,
  counts: { requests, refused: 0, erred, failed: 0, abandoned: 0 },
});

const seats = (found: readonly ReplicaCounters[]) => found.map((one) => one.seat);

const refs = [1, 2, 3].map((seat) => ({ seat, incarnation: seat, hostname: `server${seat}` }));

t.test('those err of whom half or more of a window had a status from 500 up, and not only a few', async (t) => {
  const replicas = new ErringReplicas(0, 1000);
  const first = [reading(1, 100, 50), reading(2, 100, 49), reading(3, 4, 4)];
  t.same(seats(replicas.look(first, 1000)), [1]);
  t.same(replicas.among(refs), [refs[0]]);
  const second = [reading(1, 200, 50), reading(2, 110, 59), reading(3, 8, 8)];
  t.same(seats(replicas.look(second, 2000)), [2], 'each window by itself');
  t.same(replicas.among(refs), [refs[1]]);
});

t.test('who errs is told before its window is over, once in each', async (t) => {
  const replicas = new ErringReplicas(0, 1000);
  t.same(seats(replicas.look([reading(1, 10, 4)], 100)), []);
  t.same(seats(replicas.look([reading(1, 11, 6)], 200)), [1]);
  t.same(replicas.among(refs), [refs[0]]);
  t.same(seats(replicas.look([reading(1, 20, 15)], 300)), []);
  t.same(seats(replicas.look([reading(1, 40, 15)], 1000)), [], 'as a whole, it did not');
  t.same(replicas.among(refs), []);
  t.same(seats(replicas.look([reading(1, 50, 25)], 1100)), [1], 'in the next window it does again');
  t.same(seats(replicas.look([reading(1, 60, 35)], 2000)), []);
  t.same(replicas.among(refs), [refs[0]], 'until another window is over');
  replicas.look([reading(1, 80, 35)], 3000);
  t.same(replicas.among(refs), []);
});

t.test('what one reader was told is told to another as well', async (t) => {
  const [one, other] = [new ErringReplicas(0, 1000), new ErringReplicas(0, 1000)];
  t.same(seats(one.look([reading(1, 10, 8)], 100)), [1]);
  t.same(seats(other.look([reading(1, 11, 9)], 150)), [1]);
});
