// Autoscaling of the real program: replicas come with the load and go after it, no request fails, and from zero the
// first request waits for its replica.

import t from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';

// Answers after 400 ms, so that each client keeps one request in flight.
const SERVICE = `require('node:http').createServer((request, response) => {
  setTimeout(() => response.end('ok'), request.url === '/heartbeat' ? 0 : 400);
}).listen(process.env.PORT)`;
const SETTINGS = [
  ...['--autoscale-target', '4', '--autoscale-window', '10s', '--autoscale-down-after', '3s'],
  // Else the last step down comes a minute after the one before.
  ...['--autoscale-down-rate', '1'],
];
const started = (...args: string[]) => startProgram([...args, ...SETTINGS, '--', process.execPath, '-e', SERVICE]);

interface View {
  readonly now: { readonly replicas: number; readonly stable: number; readonly reason: string };
  readonly steps: readonly { readonly step: number; readonly reason: string; readonly moved: number }[];
  readonly counts: { readonly up: number; readonly down: number; readonly coldStarts: number };
}

async function viewOf(program: Program): Promise<View> {
  const { body } = await program.json('/balancer/autoscale');
  return (body as { message: View }).message;
}

/** So many clients that each ask again and again, until they are told to end. Resolves with the statuses. */
function clients(program: Program, count: number) {
  const over = new AbortController();
  const statuses = new Map<number, number>();
  const one = async () => {
    while (!over.signal.aborted) {
      const { status } = await program.call('GET', '/work');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const all = Promise.all(Array.from({ length: count }, one));
  return async () => {
    over.abort();
    await all;
    return Object.fromEntries(statuses);
  };
}

const stepped = (from: number) => (line: { event: string; [detail: string]: unknown }) =>
  line.event === 'autoscaling' && line.from === from;

for (const workers of ['1', '2']) {
  t.test(`up with the load and down after it, with ${workers} workers`, { timeout: 240_000 }, async (t) => {
    const program = await started('--autoscale', '1:4', '--replicas', '1', '--workers', workers);
    t.teardown(() => program.stop());
    const end = clients(program, 12);
    const up = await program.logged(stepped(1));
    t.match(up, { reason: 'panic', target: 4, ready: 1, wanted: Number, stable: Number, moved: Number });
    t.ok((up.moved as number) > 0.4, 'at least the part of the keys that the second one gets');
    await program.logged(({ event, replicas }) => event === 'autoscaled' && (replicas as number) >= 3);
    t.ok((await program.hostnames()).length >= 3);
    t.same(Object.keys(await end()), ['200'], 'no request fails');
    const down = await program.logged(({ event, reason }) => event === 'autoscaling' && reason === 'idle');
    t.ok((down.to as number) < (down.from as number));
    const leave = down.leave as string[];
    const names = program.log.findLast(({ event }) => event === 'autoscaling')?.leave as string[];
    t.ok(names.length > 0 && !leave.includes('server1'), 'the highest seats leave');
    await program.logged(({ event, replicas }) => event === 'autoscaled' && replicas === 1);
    t.same(await program.hostnames(), ['server1']);
    const view = await viewOf(program);
    t.match(view, { counts: { coldStarts: 0, up: Number, down: Number } });
    t.equal(view.steps.filter(({ step }) => step > 0).length, view.counts.up);
  });
}

t.test('to zero, and from zero: the first request waits for its replica', { timeout: 240_000 }, async (t) => {
  const program = await started(
    '--autoscale',
    '0:3',
    '--replicas',
    '0',
    '--queue-timeout',
    '60s',
    '--start-timeout',
    '60s',
  );
  t.teardown(() => program.stop());
  t.same(await program.hostnames(), []);
  t.equal((await program.json('/balancer/ready')).status, 200, 'whoever sends requests may send the first one');
  const answers = await Promise.all(['/a', '/b', '/c'].map((path) => program.call('GET', path)));
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  t.match(await program.logged(stepped(0)), { reason: 'from-zero', from: 0 });
  t.match(await program.logged(({ event }) => event === 'cold-start'), { tookMs: Number });
  t.match(await viewOf(program), { counts: { coldStarts: 1 } });
  await program.logged(({ event, replicas }) => event === 'autoscaled' && replicas === 0);
  t.same(await program.hostnames(), []);
  t.equal((await program.call('GET', '/again')).status, 200);
});

t.test('a start within the bounds, changes by hand, and a pause of it', { timeout: 240_000 }, async (t) => {
  const program = await started('--autoscale', '2:3', '--replicas', '1');
  t.teardown(() => program.stop());
  t.same(await program.hostnames(), ['server1', 'server2']);
  await program.call('POST', '/add', { n: 2 });
  t.equal((await program.hostnames()).length, 4, 'above the most, by hand');
  await program.logged(({ event, to }) => event === 'autoscaling' && to === 3);
  await program.call('DELETE', '/rm', { n: 9 });
  await program.logged(({ event }) => event === 'autoscale-paused');
  t.same(await program.hostnames(), []);
  await program.call('POST', '/add', { n: 1, hostnames: ['one'] });
  await program.logged(({ event, from, to }) => event === 'autoscaling' && from === 1 && to === 2);
});

t.test('off, there is nothing to show', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  t.same((await program.json('/balancer/autoscale')).body, { message: null, status: 'successful' });
  t.notOk(program.log.some(({ event }) => event.startsWith('autosca')));
});

t.test('others run the replicas, or there may not be so many: a clear error', async (t) => {
  await t.rejects(startProgram(['--autoscale', '1:2', '--upstream', '127.0.0.1:1']), /--autoscale starts and ends/);
  await t.rejects(
    startProgram(['--autoscale', '1:70']),
    /--autoscale takes at most --max-replicas, which is 64, not 70/,
  );
  await t.rejects(startProgram(['--autoscale', '3:2']), /--autoscale takes MIN:MAX, .* not "3:2"/);
});
