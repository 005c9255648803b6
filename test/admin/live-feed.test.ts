// What watching clients are told by the real program with real replicas.

import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { openEvents, type SentEvent } from '../fixtures/event-source.ts';

const program = await startProgram(['--max-replicas', '6', '--heartbeat-failures', '20']);
t.teardown(() => program.stop());
const watch = async (t: Test) => {
  const source = await openEvents(`${program.url}/balancer/events`);
  t.teardown(() => source.close());
  return source;
};
const change = (path: string, body: unknown, method = 'POST') =>
  program.json(path, { method, body: typeof body === 'string' ? body : JSON.stringify(body) });

t.test('who comes is told all there is: ring, fleet, what happened, the last minutes', async (t) => {
  const source = await watch(t);
  t.equal(source.status, 200);
  t.equal(source.headers['content-type'], 'text/event-stream');
  t.equal(source.headers['cache-control'], 'no-store');
  const snapshot = await source.until('snapshot');
  t.match(snapshot, { hash: 'even', virtualNodes: 9, maxReplicas: 6 });
  const { body } = await program.json('/balancer/ring');
  const { points, slots, digest } = body as { points: { slot: number; seat: number }[]; slots: number; digest: string };
  t.same(snapshot.ring, { slots, digest, points: points.map(({ slot, seat }) => [slot, seat]) });
  t.match(snapshot.fleet.seats, [
    { seat: 1, replica: 'server1', state: 'serving', weight: 1 },
    { seat: 2, replica: 'server2', state: 'serving', weight: 1 },
    { seat: 3, replica: 'server3', state: 'serving', weight: 1 },
  ]);
  t.ok(Math.abs(Date.now() - snapshot.fleet.seats[0].sinceMs) < 60_000);
  const joined = snapshot.log.filter((entry: { what: string }) => entry.what === 'joined');
  t.same(joined.map((entry: { replica: string }) => entry.replica).sort(), ['server1', 'server2', 'server3']);
});

t.test(
  'each request is a spark on the slot that it is explained by, at the seat of the replica that answered',
  async (t) => {
    const source = await watch(t);
    await source.until('snapshot');
    const wanted: number[][] = [];
    for (let count = 0; count < 5; count++) {
      const { headers, status } = await fetch(`${program.url}/home`, { headers: { 'X-Ringmaster-Explain': '1' } });
      const seat = Number(headers.get('x-ringmaster-replica')?.replace('server', ''));
      wanted.push([Number(headers.get('x-ringmaster-slot')), seat, status]);
    }
    const told = () => source.events.filter(({ name }) => name === 'sparks').flatMap(({ data }) => data.told);
    await source.until('sparks', () => told().length >= 15);
    t.same(told(), wanted.flat());
  },
);

t.test('the traffic of a second, in all and for each replica', async (t) => {
  const source = await watch(t);
  // Traffic from before is in the first look.
  const before = (await source.until('traffic')).traffic.reduce(sumOf, 0);
  for (let count = 0; count < 6; count++) await fetch(`${program.url}/${count === 0 ? 'other' : 'home'}`);
  const { traffic, spread } = await source.until('traffic', (data) => data.traffic.reduce(sumOf, 0) >= before + 6);
  t.equal(traffic.reduce(sumOf, 0), before + 6);
  t.equal(traffic.length, 3);
  t.match(
    [...traffic].sort((a, b) => b.refused - a.refused),
    [{ refused: 1, failed: 0 }, { refused: 0 }, { refused: 0 }],
  );
  const rows = source.events.filter(({ name }) => name === 'traffic').map(({ data }) => data.row);
  const [, , , , , p50, , p99] = rows.findLast(([, requests]) => requests > 0) ?? [];
  t.ok(p50 > 0 && p99 >= p50 && p99 < 60_000, `p50 ${p50} ms, p99 ${p99} ms`);
  t.ok(spread.seconds >= 1 && spread.seconds <= 60);
  t.ok(spread.seats.reduce((sum: number, [, count]: number[]) => sum + (count ?? 0), 0) >= 6);
});

t.test('a replica that hangs is suspected, and cleared when it answers again', async (t) => {
  const source = await watch(t);
  await source.until('snapshot');
  const pid = await replicaPid(program, 'server1');
  const told = (what: string) =>
    source.until('fleet', ({ log }) => log.some((entry: SentEvent['data']) => entry.what === what));
  process.kill(pid, 'SIGSTOP');
  t.match((await told('suspected')).seats[0], { replica: 'server1', state: 'suspected' });
  process.kill(pid, 'SIGCONT');
  t.match((await told('cleared')).seats[0], { replica: 'server1', state: 'serving' });
});

t.test('a replica that is killed dies, and another takes its seat', async (t) => {
  const source = await watch(t);
  await source.until('snapshot');
  const { status, body } = await change('/balancer/kill', { hostname: 'SERVER2' });
  t.match({ status, body }, { status: 200, body: { message: { killed: 'server2' }, status: 'successful' } });
  const entries = () => source.events.flatMap(({ name, data }) => (name === 'fleet' ? data.log : []));
  const fleet = await source.until('fleet', ({ log }) =>
    log.some((entry: { what: string }) => entry.what === 'replaced'),
  );
  // A heartbeat may fail first and make the replica suspected.
  const certain = entries().filter((entry: { what: string }) => entry.what !== 'suspected');
  t.match(certain, [
    { what: 'died', replica: 'server2', seat: 2, reason: 'killed by SIGKILL' },
    { what: 'starting', seat: 2, replica: /^server_/ },
    { what: 'replaced', seat: 2, instead: 'server2' },
  ]);
  t.equal(fleet.seats[1].state, 'serving');
  t.equal(fleet.ring, undefined, 'the ring is the same');
  t.notOk((await program.hostnames()).includes('server2'));
});

t.test('who is added and removed is told, with the ring as it is then', async (t) => {
  const source = await watch(t);
  await source.until('snapshot');
  await change('/add', { n: 1, hostnames: ['extra'] });
  const grown = await source.until('fleet', (data) => data.ring?.points.some(([, seat]: number[]) => seat === 4));
  t.match(grown.seats[3], { seat: 4, replica: 'extra' });
  await change('/rm', { n: 1, hostnames: ['extra'] }, 'DELETE');
  await source.until('fleet', (data) => data.log.some((entry: { what: string }) => entry.what === 'drained'));
  const whats = source.events.flatMap(({ name, data }) => (name === 'fleet' ? data.log : []));
  t.same(
    whats.map(({ what, replica }) => `${replica} ${what}`),
    ['extra starting', 'extra joined', 'extra draining', 'extra drained'],
  );
});

t.test('a dry run shows the ring as it would be', async (t) => {
  const before = ((await program.json('/balancer/ring')).body as { points: unknown }).points;
  const { body } = await change('/add?dry-run', { n: 1, hostnames: ['ghost'] });
  const { points } = (body as { message: { points: { seat: number; replica: string }[] } }).message;
  t.equal(points.filter(({ seat, replica }) => seat === 4 && replica === 'ghost').length, 9);
  t.same(((await program.json('/balancer/ring')).body as { points: unknown }).points, before);
});

t.test('what cannot be killed is refused by a reason, and nothing happens', async (t) => {
  const hostnames = await program.hostnames();
  for (const [sent, reason] of [
    ['{', /the body is not JSON/],
    [{}, /hostname must be that of a replica, not undefined/],
    [{ hostname: ['server1'] }, /hostname must be that of a replica, not \["server1"\]/],
    [{ hostname: 'nobody' }, /hostname must be that of a replica, not "nobody"/],
  ] as const) {
    const { status, body } = await change('/balancer/kill', sent);
    t.equal(status, 400);
    t.match(body, { status: 'failure', message: reason });
  }
  t.same(await program.hostnames(), hostnames);
});

t.test('sixteen may watch; one more is told so, until one of them leaves', async (t) => {
  const other = await startProgram(['--replicas', '1']);
  t.teardown(() => other.stop());
  const open = () => openEvents(`${other.url}/balancer/events`);
  const sources = await Promise.all(Array.from({ length: 16 }, open));
  await Promise.all(sources.map((source) => source.until('snapshot')));
  const refused = await open();
  t.match([refused.status, refused.headers['content-type']], [503, 'application/json']);
  sources[3]?.close();
  // The balancer needs a moment to notice.
  let again = await open();
  while (again.status !== 200) again = await open();
  t.ok(await again.until('snapshot'));
  for (const source of [...sources, again]) source.close();
});

function sumOf(sum: number, { requests }: { requests: number }): number {
  return sum + requests;
}
