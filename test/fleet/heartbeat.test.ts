import t from 'tap';
import type { Probe } from '../../lib/core/ports.ts';
import { type Judgement, startHeartbeat } from '../../lib/fleet/health/heartbeat.ts';
import { settle, VirtualClock } from '../fixtures/virtual-clock.ts';

const address = { type: 'unix', path: '/a.sock' } as const;
const pace = { intervalMs: 500, timeoutMs: 400 };
const never: Probe = () => new Promise(() => undefined);

function start(probe: Probe) {
  const clock = new VirtualClock();
  const reports: { atMs: number; failure: string | undefined }[] = [];
  const report = ({ verdict, failure }: Judgement) => verdict && reports.push({ atMs: clock.now(), failure });
  return { clock, reports, heartbeat: startHeartbeat(address, probe, clock, pace, report) };
}

t.test('a healthy replica is probed at once, then at the interval', async (t) => {
  const { clock, reports, heartbeat } = start(() => Promise.resolve());
  await clock.advance(1600);
  t.same(
    reports.map((report) => report.atMs),
    [0, 500, 1000, 1500],
  );
  heartbeat.stop();
  await clock.advance(1000);
  t.equal(reports.length, 4, 'none after stop');
});

t.test('one that is coming up is asked quickly at first, ever more slowly up to the interval', async (t) => {
  const { clock, reports, heartbeat } = start(() => Promise.reject(new Error('refused')));
  await clock.advance(5000);
  const waits = reports.slice(1).map((report, index) => report.atMs - (reports[index]?.atMs ?? 0));
  t.ok((waits[0] ?? 0) < 30, `${waits[0]}`);
  t.equal(waits.at(-1), 500);
  t.ok(waits.every((wait, index) => index === 0 || wait >= (waits[index - 1] ?? 0)));
  t.equal(reports[0]?.failure, 'refused');
  heartbeat.stop();
});

t.test('no answer within the timeout is a failure, and the probe is given up', async (t) => {
  let abandoned = false;
  const { clock, reports, heartbeat } = start((_address, signal) => {
    signal.addEventListener('abort', () => {
      abandoned = true;
    });
    return new Promise(() => undefined);
  });
  await clock.advance(400);
  t.same(reports, [{ atMs: 400, failure: 'no answer to the heartbeat within 400 ms' }]);
  t.ok(abandoned);
  heartbeat.stop();
});

t.test('a machine that slept through the timeout says nothing about the replica', async (t) => {
  const { clock, reports, heartbeat } = start(never);
  await settle();
  clock.jump(60_000);
  await clock.advance(0);
  t.same(reports, []);
  await clock.advance(pace.timeoutMs + 50);
  t.equal(reports.length, 1, 'the next one counts');
  heartbeat.stop();
});

t.test('nor does one that was late by a part of it: what was asked late is answered late', async (t) => {
  const { clock, reports, heartbeat } = start(never);
  await settle();
  clock.jump(200);
  await clock.advance(pace.timeoutMs);
  t.same(reports, []);
  await clock.advance(pace.timeoutMs + 50);
  t.equal(reports.length, 1, 'the next one counts');
  heartbeat.stop();
});

t.test('hurry probes now, and only once', async (t) => {
  const { clock, reports, heartbeat } = start(() => Promise.resolve());
  await clock.advance(100);
  heartbeat.hurry();
  await clock.advance(0);
  t.same(
    reports.map((report) => report.atMs),
    [0, 100],
  );
  await clock.advance(499);
  t.equal(reports.length, 2);
  heartbeat.stop();
});

t.test('nothing is reported of a probe under way when the loop is stopped', async (t) => {
  const { clock, reports, heartbeat } = start(never);
  await settle();
  heartbeat.stop();
  await clock.advance(1000);
  t.same(reports, []);
});
