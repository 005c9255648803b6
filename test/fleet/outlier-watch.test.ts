// The watch over outliers, between measures that a test makes up and a publisher that it plays, on a virtual clock.

import t from 'tap';
import type { Route } from '../../lib/core/fleet/fleet-state.ts';
import type { Eased } from '../../lib/core/ring/easing.ts';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { noReading } from '../../lib/core/traffic/plane-reading.ts';
import { OutlierWatch } from '../../lib/fleet/health/outlier-watch.ts';
import { createLog } from '../../lib/log.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

/** A watch over so many replicas, each of which answers 50 requests a second: the first one after `firstMs`. */
function played(count: number) {
  const clock = new VirtualClock();
  const entries: Record<string, unknown>[] = [];
  const published: (readonly Eased[])[] = [];
  const seats = new Map(Array.from({ length: count }, (_, index) => [index + 1, new SeatMeasures()]));
  const about = { isOn: true, firstMs: 300, readings: 0, fails: false };
  const routes: Route[] = Array.from(seats.keys(), (seat) => ({
    replica: { seat, incarnation: seat, hostname: `server${seat}` },
    address: { type: 'unix', path: '/a.sock' },
    suspected: false,
    weight: 1,
  }));
  const work = () => {
    for (const [seat, measures] of seats) {
      const answeredMs = 1 + (seat === 1 ? about.firstMs : 3);
      const times = { startedMs: 1, placedMs: 1, askedMs: 1, answeredMs, endedMs: answeredMs };
      for (let request = 0; request < 50; request++) measures.reply('GET', 200, times);
    }
  };
  const watch = new OutlierWatch({
    clock,
    log: createLog(
      'info',
      (line) => entries.push(JSON.parse(line)),
      () => new Date(0),
    ),
    isOn: () => about.isOn,
    routes: () => routes,
    reading: async () => {
      about.readings += 1;
      work();
      if (about.fails) throw new Error('a worker ends');
      return { ...noReading(), seats: new Map(Array.from(seats, ([seat, { cells }]) => [seat, cells.slice()])) };
    },
    publish: async (eased) => {
      published.push(eased);
      throw new Error('refused');
    },
  });
  const events = () => entries.map(({ event, hostname, share }) => [event, hostname, share].filter(Boolean).join(' '));
  return { clock, watch, about, routes, published, entries, events };
}

t.test('an outlier is published and logged once, and when it has recovered', async (t) => {
  const { clock, watch, about, published, entries, events } = played(6);
  await clock.advance(5000);
  t.equal(about.readings, 0, 'making it does nothing');
  watch.begin();
  await clock.advance(20_000);
  t.same(
    published.map((eased) => eased.map(({ share }) => share)),
    [[1 / 2], [1 / 4], [1 / 8]],
    'one plan for each step, though they are refused',
  );
  t.same(events(), ['replica-eased server1 1/2']);
  t.match(entries[0], { level: 'warn', seat: 1, type: 'slow', reason: /^slow: \d+ ms, others 3 ms$/ });
  t.equal(watch.eased, watch.eased);
  about.firstMs = 3;
  await clock.advance(30_000);
  t.same(watch.eased, []);
  t.same(events(), ['replica-eased server1 1/2', 'replica-recovered server1']);
  t.match(entries[1], { level: 'info', reason: 'it does not stand out any more' });
  watch.close();
  const { readings } = about;
  await clock.advance(5000);
  t.equal(about.readings, readings);
});

t.test('what is switched off eases nobody, at the next second; what is switched on begins anew', async (t) => {
  const { clock, watch, about, published, entries } = played(6);
  watch.begin();
  await clock.advance(20_000);
  const { readings } = about;
  about.isOn = false;
  await clock.advance(1000);
  t.same(published.at(-1), []);
  t.match(entries.at(-1), { event: 'replica-recovered', reason: 'outliers are not eased any more' });
  await clock.advance(60_000);
  t.equal(about.readings, readings, 'nothing is read');
  about.isOn = true;
  await clock.advance(8000);
  t.same(watch.eased, []);
  await clock.advance(3000);
  t.equal(watch.eased.length, 1);
  watch.close();
});

t.test('the end of a replica is no recovery', async (t) => {
  const { clock, watch, routes, events } = played(6);
  watch.begin();
  await clock.advance(20_000);
  routes.shift();
  await clock.advance(1000);
  t.same(watch.eased, []);
  t.same(events(), ['replica-eased server1 1/2']);
  watch.close();
});

t.test('fewer than three are not even looked at; a look that fails is passed over', async (t) => {
  const two = played(2);
  two.watch.begin();
  await two.clock.advance(20_000);
  t.equal(two.about.readings, 0);
  two.watch.close();
  const six = played(6);
  six.about.fails = true;
  six.watch.begin();
  await six.clock.advance(20_000);
  t.ok(six.about.readings > 10);
  t.same(six.published, []);
  six.about.fails = false;
  await six.clock.advance(20_000);
  t.equal(six.watch.eased.length, 1);
  six.watch.close();
});
