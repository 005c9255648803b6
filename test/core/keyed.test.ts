import t from 'tap';
import { keyedCounts } from '../../lib/core/keys/keyed.ts';
import { FrontMeasures } from '../../lib/core/traffic/measures.ts';

t.test('requests with a key are counted by its class and by where they went, over all threads', async (t) => {
  const [one, other] = [new FrontMeasures(), new FrontMeasures()];
  one.keyed('path', 'owner');
  one.keyed('path', 'other');
  other.keyed('path', 'owner');
  other.keyed('function', 'other');
  const rest = { clients: 0, waiting: 0, waitingForReturn: 0, activeSeconds: 0 };
  const threads = [one, other].map(({ cells }, index) => ({ thread: String(index), cells, ...rest }));
  t.same(keyedCounts({ threads }), [
    { keyClass: 'path', owner: 2, other: 1 },
    { keyClass: 'function', owner: 0, other: 1 },
  ]);
  t.same(keyedCounts({ threads: [] }), []);
});
