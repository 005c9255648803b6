// Where requests landed in two planes, told as if there were one.

import t from 'tap';
import { type Landings, MOST_KEPT } from '../../lib/core/traffic/landings.ts';
import { MergedLandings } from '../../lib/core/traffic/merged-landings.ts';

const NONE = { landed: 0 };
const look = (landed: number, ...slots: number[]): Landings => ({
  last: landed,
  landed,
  told: slots.flatMap((slot) => [slot, 1, 200]),
});
const slotsOf = ({ told }: Landings) => told.filter((_, index) => index % 3 === 0);

t.test('each reader is told from its own last look on what any plane has told since', async (t) => {
  const merged = new MergedLandings();
  t.same(merged.since(0), { last: 0, landed: 0, told: [] });
  merged.add([
    { now: look(2, 10, 11), before: NONE },
    { now: look(1, 20), before: NONE },
  ]);
  const first = merged.since(0);
  t.same(first, { last: 3, landed: 3, told: [10, 1, 200, 20, 1, 200, 11, 1, 200] });
  merged.add([{ now: look(5, 12), before: look(2) }]);
  t.same(merged.since(first.last), { last: 6, landed: 6, told: [12, 1, 200] });
  t.same(slotsOf(merged.since(0)), [10, 20, 11, 12], 'to another reader all');
  t.same(merged.since(6), { last: 6, landed: 6, told: [] });
});

t.test('what several planes tell in one look is told by turns, as far as each has got', async (t) => {
  const merged = new MergedLandings();
  merged.add([
    { now: look(4, 10, 11, 12, 13), before: NONE },
    { now: look(2, 20, 21), before: NONE },
    { now: look(9), before: NONE },
  ]);
  const { landed, told } = merged.since(0);
  t.equal(landed, 15);
  t.same(slotsOf({ last: 0, landed, told }), [10, 20, 11, 12, 21, 13]);
});

t.test('what is kept is bounded, and what is told is spread over it', async (t) => {
  const merged = new MergedLandings();
  for (let landed = 1; landed <= 1000; landed++) merged.add([{ now: look(landed, landed), before: look(landed - 1) }]);
  const slots = slotsOf(merged.since(0));
  t.equal(slots.length, 24);
  t.ok((slots[0] as number) > 1000 - MOST_KEPT);
  t.ok((slots.at(-1) as number) > 990);
});
