// Readers that follow where requests land: what each is told, and that none changes anything for another.

import t from 'tap';
import { LandingLog } from '../../lib/core/traffic/landings.ts';

const land = (log: LandingLog, from: number, to: number) => {
  for (let slot = from; slot < to; slot++) if (log.land()) log.note(slot, 1, 200);
};
const slotsOf = (told: readonly number[]) => told.filter((_, index) => index % 3 === 0);

t.test('each reader is told of all that land after its last look, if they are few', async (t) => {
  const log = new LandingLog();
  t.same(log.since(0), { last: 0, landed: 0, told: [] });
  land(log, 0, 2);
  const first = log.since(0);
  t.same(first, { last: 2, landed: 2, told: [0, 1, 200, 1, 1, 200] });
  land(log, 2, 3);
  log.onTick(100);
  land(log, 3, 4);
  t.same(log.since(first.last), { last: 4, landed: 4, told: [2, 1, 200, 3, 1, 200] });
  t.same(slotsOf(log.since(0).told), [0, 1, 2, 3], 'to another reader the same again');
  t.same(log.since(4), { last: 4, landed: 4, told: [] });
});

t.test('nothing is noted before a first look, nor from a second after the last one on', async (t) => {
  const log = new LandingLog();
  land(log, 0, 5);
  t.same(log.since(0), { last: 5, landed: 5, told: [] });
  log.onTick(10_000);
  log.onTick(10_900);
  land(log, 5, 6);
  t.same(slotsOf(log.since(5).told), [5]);
  log.onTick(11_000);
  log.onTick(12_001);
  land(log, 6, 7);
  t.same(log.since(5), { last: 7, landed: 7, told: [] }, 'what is counted is counted all the same');
});

t.test('of however many 24 are told in a look, as far apart as they were', async (t) => {
  for (const count of [25, 48, 49, 100, 1000, 12_345]) {
    const log = new LandingLog();
    log.since(0);
    land(log, 0, count);
    const slots = slotsOf(log.since(0).told);
    t.equal(slots.length, 24);
    const gaps = slots.slice(1).map((slot, index) => slot - (slots[index] as number));
    t.ok(Math.max(...gaps) <= (4 * count) / 24, `${count}: ${gaps}`);
    t.ok((slots[0] as number) < count / 10 && (slots.at(-1) as number) >= 0.9 * count, `${count}: ${slots}`);
  }
});

t.test('the log is bounded, and who looks late is told of the last ticks', async (t) => {
  const log = new LandingLog();
  log.since(0);
  for (let tick = 0; tick < 10; tick++) {
    land(log, tick * 1000, (tick + 1) * 1000);
    log.onTick(tick * 100);
  }
  const slots = slotsOf(log.since(0).told);
  t.equal(slots.length, 24);
  t.ok((slots[0] as number) > 2000 && (slots.at(-1) as number) > 9500, slots.join(' '));
});

t.test('a second reader changes nothing for the first', async (t) => {
  const follow = (disturb: (log: LandingLog) => void) => {
    const log = new LandingLog();
    const looks = [log.since(0)];
    for (let look = 1; look <= 40; look++) {
      for (let part = 0; part < 10; part++) {
        land(log, look * 100 + part * 7, look * 100 + part * 7 + (look % 4) * 7);
        disturb(log);
      }
      looks.push(log.since(looks.at(-1)?.last ?? 0));
      if (look % 2 === 0) log.onTick(look * 50);
    }
    return looks;
  };
  let seen = 0;
  const alone = follow(() => undefined);
  t.same(
    follow((log) => {
      seen = log.since(seen).last;
    }),
    alone,
  );
  t.ok(alone.some(({ told }) => told.length === 72));
});
