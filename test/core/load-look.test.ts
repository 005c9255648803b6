import t from 'tap';
import { meanLoad } from '../../lib/core/fleet/autoscale.ts';
import { loadLook } from '../../lib/core/traffic/load-look.ts';
import { FrontMeasures, NO_SEAT, SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { noReading, type PlaneReading, type ThreadReading } from '../../lib/core/traffic/plane-reading.ts';

const times = (startedMs: number, placedMs: number, endedMs: number) => ({
  ...{ startedMs, placedMs, askedMs: placedMs, answeredMs: endedMs, endedMs },
});
const thread = (name: string, { cells }: FrontMeasures): ThreadReading => ({
  ...{ thread: name, cells, clients: 0, waiting: 0, waitingForReturn: 0, activeSeconds: 0 },
});

t.test('what was held in all threads, served at all seats, and turned away', async (t) => {
  const [one, two] = [new FrontMeasures(), new FrontMeasures()];
  // Ten times a second, so two and three requests for a second each.
  for (let tick = 0; tick <= 10; tick++) {
    one.holds(tick === 0 ? 0 : 2, 5000 + 100 * tick);
    two.holds(tick === 0 ? 0 : 3, 5000 + 100 * tick);
  }
  const [seat, none] = [new SeatMeasures(), new SeatMeasures()];
  seat.reply('GET', 200, times(1000, 1100, 1400));
  seat.loss('GET', 'failed', 'bad-reply', times(1000, 1000, 1500));
  none.loss('GET', 'failed', 'shed', times(1000, 0, 1000));
  none.loss('GET', 'failed', 'overloaded', times(1000, 0, 6000));
  none.loss('GET', 'failed', 'no-replica', times(1000, 0, 1000));
  const reading: PlaneReading = {
    ...noReading(),
    seats: new Map([
      [NO_SEAT, none.cells],
      [1, seat.cells],
    ]),
    threads: [thread('0', one), thread('1', two)],
  };
  const { heldMs, servedMs, ...rest } = loadLook(reading, 7000);
  t.same(rest, { atMs: 7000, refused: 2, served: 2 });
  t.equal(Math.round(heldMs), 5000);
  t.equal(Math.round(servedMs), 300 + 500, 'without the time in line');
  const before = { atMs: 6000, heldMs: 0, refused: 0, served: 0, servedMs: 0 };
  t.equal(Math.round(1000 * meanLoad([before, loadLook(reading, 7000)], 6000)), 5000 + 2 * 400);
  t.same(loadLook(noReading(), 1), { atMs: 1, heldMs: 0, refused: 0, served: 0, servedMs: 0 });
});

t.test('a pause after nothing was held had no clients; one that is late counts for a second at most', async (t) => {
  const front = new FrontMeasures();
  const held = () => Math.round(loadLook({ ...noReading(), threads: [thread('0', front)] }, 0).heldMs);
  front.holds(4, 100_000);
  t.equal(held(), 400);
  front.holds(4, 100_500);
  t.equal(held(), 400 + 2000);
  front.holds(4, 200_000);
  t.equal(held(), 2400 + 4000);
});
