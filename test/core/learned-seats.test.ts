import { Worker } from 'node:worker_threads';
import t from 'tap';
import { LEARNED_BYTES, LearnedSeats } from '../../lib/core/keys/learned-seats.ts';

const alone = () => new LearnedSeats(new ArrayBuffer(LEARNED_BYTES));

t.test('who set a cookie last is known, and nobody for others', async (t) => {
  const seats = alone();
  t.equal(seats.seatOf('a'), undefined);
  seats.learn('a', 3);
  seats.learn('b', 65_536);
  t.equal(seats.seatOf('a'), 3);
  t.equal(seats.seatOf('b'), 65_536);
  t.equal(seats.seatOf('c'), undefined);
  seats.learn('a', 5);
  t.equal(seats.seatOf('a'), 5);
  for (let count = 0; count < 10_000; count++) t.equal(seats.seatOf(`other${count}`) ?? 0, 0) || t.bailout('mixed up');
});

t.test('30,000 sessions at a time are all known', async (t) => {
  const seats = alone();
  for (let one = 0; one < 30_000; one++) seats.learn(`session-${one}`, 1 + (one % 1000));
  let wrong = 0;
  let unknown = 0;
  for (let one = 0; one < 30_000; one++) {
    const seat = seats.seatOf(`session-${one}`);
    if (seat === undefined) unknown += 1;
    else if (seat !== 1 + (one % 1000)) wrong += 1;
  }
  t.same({ wrong, unknown }, { wrong: 0, unknown: 0 });
});

t.test('what was not used for longest is forgotten first', async (t) => {
  const seats = alone();
  seats.learn('used', 7);
  seats.learn('unused', 8);
  for (let one = 0; one < 500_000; one++) {
    seats.learn(`session-${one}`, 1);
    if (one % 1000 === 0) t.equal(seats.seatOf('used'), 7) || t.bailout('a session that is used was forgotten');
  }
  t.equal(seats.seatOf('unused'), undefined);
  t.equal(seats.seatOf('session-499999'), 1);
});

t.test('another process takes over what is remembered, if it has the same form', async (t) => {
  const before = alone();
  before.learn('a', 3);
  const next = alone();
  next.fill(before.bytes.subarray(1));
  t.equal(next.seatOf('a'), undefined);
  next.fill(before.bytes);
  t.equal(next.seatOf('a'), 3);
  before.learn('a', 4);
  t.equal(next.seatOf('a'), 3, 'it is a copy');
});

t.test('an entry that another thread is writing is left alone', async (t) => {
  const memory = new ArrayBuffer(LEARNED_BYTES);
  const seats = new LearnedSeats(memory);
  seats.learn('a', 3);
  // Claimed, as by a thread that has ended meanwhile.
  const cells = new Int32Array(memory);
  for (let cell = 1; cell < cells.length; cell += 2) cells[cell] = 1;
  t.equal(seats.seatOf('a'), undefined);
  seats.learn('a', 4);
  t.equal(seats.seatOf('a'), undefined, 'all of its set are being written');
  for (let cell = 1; cell < cells.length; cell += 64) cells[cell] = 0;
  seats.learn('a', 5);
  t.equal(seats.seatOf('a'), 5);
});

t.test('four threads that learn and ask at once never get the seat of another cookie', async (t) => {
  const memory = new SharedArrayBuffer(LEARNED_BYTES);
  const module = new URL('../../lib/core/keys/learned-seats.ts', import.meta.url);
  const script = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { LearnedSeats } from ${JSON.stringify(module.href)};
    const seats = new LearnedSeats(workerData.memory);
    let state = workerData.thread;
    let known = 0;
    let wrong = 0;
    for (let count = 0; count < 300_000; count++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const one = (state >>> 8) % 100_000;
      const seat = seats.seatOf('c' + one);
      if (seat === undefined) seats.learn('c' + one, 1 + one % 5000);
      else if (seat === 1 + one % 5000) known += 1;
      else wrong += 1;
    }
    parentPort.postMessage({ known, wrong });`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const run = (thread: number) =>
    new Promise<{ known: number; wrong: number }>((resolve, reject) => {
      const worker = new Worker(url, { workerData: { memory, thread } });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  for (const { known, wrong } of await Promise.all([1, 2, 3, 4].map(run))) {
    t.equal(wrong, 0);
    t.ok(known > 10_000, `${known} were known`);
  }
});
