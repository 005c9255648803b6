// What is counted for monitoring: every request once, in whole numbers that agree with each other and never go down.

import t from 'tap';
import { KEY_CLASSES } from '../../lib/core/request/key-source.ts';
import {
  addCells,
  BOUNDS_S,
  FRONT_LAYOUT,
  FrontMeasures,
  KEY_WAYS,
  METHODS,
  OUTCOMES,
  REASONS,
  RETRY_REASONS,
  SEAT_LAYOUT,
  SeatMeasures,
  SPILL_REASONS,
  TIME_CELLS,
} from '../../lib/core/traffic/measures.ts';
import { mergeReadings, NO_LOAD, noReading, type PlaneReading } from '../../lib/core/traffic/plane-reading.ts';

const group = (cells: Float64Array, from: number, count: number) => [...cells.subarray(from, from + count)];
const timesOf = (cells: Float64Array, from: number) => {
  const all = group(cells, from, TIME_CELLS);
  return { count: all.slice(0, -1).reduce((sum, one) => sum + one, 0), sum: all.at(-1) as number, buckets: all };
};

t.test('a request is counted by its method and how it ended, and timed three times', async (t) => {
  const measures = new SeatMeasures();
  measures.reply('GET', 200, { startedMs: 1000, placedMs: 1002, askedMs: 1002, answeredMs: 1004, endedMs: 1010 });
  measures.reply('POST', 503, { startedMs: 1000, placedMs: 1000, askedMs: 0, answeredMs: 1500, endedMs: 1500 });
  measures.loss('PURGE', 'failed', 'no-replica', {
    startedMs: 1000,
    placedMs: 0,
    askedMs: 0,
    answeredMs: 0,
    endedMs: 61_000,
  });
  measures.loss('HEAD', 'abandoned', 'unheard-of', {
    startedMs: 1000,
    placedMs: 1000,
    askedMs: 1000,
    answeredMs: 0,
    endedMs: 1000,
  });
  const { cells } = measures;
  const requests = group(cells, SEAT_LAYOUT.requests, METHODS.length * OUTCOMES.length);
  t.same(requests, [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0]);
  const losses = group(cells, SEAT_LAYOUT.losses, REASONS.length);
  t.equal(losses[REASONS.indexOf('no-replica')], 1);
  t.equal(losses[REASONS.indexOf('other')], 1, 'a code that is not in the list');
  t.match(timesOf(cells, SEAT_LAYOUT.duration), { count: 4, sum: 60.51 });
  t.match(timesOf(cells, SEAT_LAYOUT.firstByte), { count: 2, sum: 0.504 });
  t.match(timesOf(cells, SEAT_LAYOUT.queue), { count: 4, sum: 60.002 });
});

t.test('retries, spills and connections of a seat are counted by their reason', async (t) => {
  const measures = new SeatMeasures();
  for (const reason of [...RETRY_REASONS, 'unheard-of']) measures.retry(reason);
  for (const reason of SPILL_REASONS) measures.spill(reason);
  measures.spill(SPILL_REASONS[0] as (typeof SPILL_REASONS)[number]);
  for (const reused of [false, true, true]) measures.connection(reused);
  const { cells } = measures;
  const retries = group(cells, SEAT_LAYOUT.retries, RETRY_REASONS.length);
  t.equal(
    retries.reduce((sum, one) => sum + one, 0),
    RETRY_REASONS.length + 1,
  );
  t.ok(retries.every((one) => one >= 1));
  t.same(group(cells, SEAT_LAYOUT.spills, 2), [2, 1]);
  t.same(group(cells, SEAT_LAYOUT.connections, 2), [1, 2]);
});

t.test('what is refused, and connections of clients, are counted where requests come in', async (t) => {
  const front = new FrontMeasures();
  front.refusal('bad-request');
  for (const reused of [false, true, true]) front.connection(reused);
  t.equal(front.cells[FRONT_LAYOUT.refusals + REASONS.indexOf('bad-request')], 1);
  t.same(group(front.cells, FRONT_LAYOUT.connections, 2), [1, 2]);
  front.keyed('client', 'owner');
  front.keyed('cookie', 'owner');
  front.keyed('cookie', 'other');
  front.keyed('cookie', 'other');
  const keyed = group(front.cells, FRONT_LAYOUT.keyed, KEY_CLASSES.length * KEY_WAYS.length);
  t.equal(keyed[0], 1);
  t.same(keyed.slice(2 * KEY_CLASSES.indexOf('cookie'), 2 * KEY_CLASSES.indexOf('cookie') + 2), [1, 2]);
  t.equal(
    keyed.reduce((sum, one) => sum + one, 0),
    4,
  );
});

t.test('a time on a bound belongs below it, and one beyond all bounds to the last bucket', async (t) => {
  const front = new FrontMeasures();
  for (const bound of BOUNDS_S) front.lag(bound * 1000);
  front.lag(30_001);
  front.lag(-1);
  const { buckets } = timesOf(front.cells, FRONT_LAYOUT.lag);
  t.same(buckets.slice(0, -1), [2, ...Array(BOUNDS_S.length - 1).fill(1), 1]);
});

t.test('the first block of cells is copied, and others are added to it', async (t) => {
  const block = new Float64Array([1, 2]);
  const first = addCells(undefined, block);
  block[0] = 9;
  t.same([...first], [1, 2]);
  t.same([...addCells(first, block)], [10, 4]);
});

t.test('readings of several threads are added up, by seat and by thread', async (t) => {
  const reading = (thread: string, seat: number, inFlight: number): PlaneReading => ({
    seats: new Map([[seat, new Float64Array([1, 2])]]),
    loads: new Map([[seat, { ...NO_LOAD, inFlight }]]),
    threads: [{ thread, cells: new Float64Array([3]), clients: 1, waiting: 2, waitingForReturn: 3, activeSeconds: 4 }],
  });
  const all = [reading('1', 1, 5), reading('2', 1, 6), reading('2', 2, 7)].reduce(mergeReadings, noReading());
  t.same(all.seats.get(1), new Float64Array([2, 4]));
  t.same(all.seats.get(2), new Float64Array([1, 2]));
  t.equal(all.loads.get(1)?.inFlight, 11);
  t.match(all.threads, [
    { thread: '1', clients: 1 },
    { thread: '2', clients: 2, waiting: 4, cells: new Float64Array([6]) },
  ]);
});
