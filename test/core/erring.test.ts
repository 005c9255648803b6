import t from 'tap';
import { ErringReplicas } from '../../lib/core/erring.ts';
import type { ReplicaReading } from '../../lib/core/traffic.ts';

const reading = (incarnation: number, requests: number, erred: number): ReplicaReading => ({
  seat: incarnation,
  incarnation,
  counts: { requests, refused: 0, erred, failed: 0, abandoned: 0 },
  inFlight: 0,
  latency: { p50: undefined, p90: undefined, p99: undefined },
});

const seats = (found: readonly ReplicaReading[]) => found.map((one) => one.seat);

t.test('those err of whom half or more of a window had a status from 500 up, and not only a few', async (t) => {
  const replicas = new ErringReplicas(0, 1000);
  t.same(seats(replicas.look([reading(1, 100, 100)], 999)), [], 'the window is not over');
  const first = [reading(1, 100, 50), reading(2, 100, 49), reading(3, 4, 4)];
  t.same(seats(replicas.look(first, 1000)), [1]);
  const refs = [1, 2, 3].map((seat) => ({ seat, incarnation: seat, hostname: `server${seat}` }));
  t.same(replicas.among(refs), [refs[0]]);
  const second = [reading(1, 200, 50), reading(2, 110, 59), reading(3, 8, 8)];
  t.same(seats(replicas.look(second, 2000)), [2], 'each window by itself');
  t.same(replicas.among(refs), [refs[1]]);
});
