// What an operator does to the running program: drain, pause, lame duck, and the questions of orchestrators.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { until } from '../fixtures/arrivals.ts';
import { eventually } from '../fixtures/eventually.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.setTimeout(120_000);

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nopen';
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n';

/** The program with two services, whose replies wait until they are let go. */
async function withServices(t: Test, options: readonly string[] = []) {
  const held = new Set<() => void>();
  const isHeld = { now: false };
  const services = await Promise.all(
    ['one', 'two'].map((name) =>
      scriptedReplica((socket, head) => {
        if (head.includes('Upgrade: ')) return void socket.write(SWITCH);
        if (head.includes('event-stream')) return void socket.write(STREAM);
        const answer = () => void socket.write(reply(name));
        if (isHeld.now) held.add(answer);
        else answer();
      }),
    ),
  );
  const upstream = services.map(({ upstream }) => upstream).join(',');
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off', '--key', 'path', ...options]);
  t.teardown(() => Promise.all([program.stop(), ...services.map((service) => service.close())]));
  const letGo = () => {
    for (const answer of held) answer();
    held.clear();
  };
  return { program, services, held, isHeld, letGo, hostnames: services.map(({ upstream }) => upstream) };
}

const post = async (program: Program, path: string, body?: unknown) => {
  const { status, text } = await program.call('POST', path, body);
  const { message } = JSON.parse(text) as { message: Record<string, unknown> & string };
  return { status, message };
};

/** Which service answers each of many keys. */
async function spread(program: Program): Promise<string[]> {
  return Promise.all(Array.from({ length: 40 }, async (_, key) => (await program.call('GET', `/${key}`)).text));
}

for (const workers of ['1', '2']) {
  t.test(`drain: a replica keeps what it has and gets nothing new, with ${workers} workers`, async (t) => {
    const { program, held, isHeld, letGo, hostnames } = await withServices(t, ['--workers', workers]);
    const before = await spread(program);
    t.same([...new Set(before)].sort(), ['one', 'two']);
    const key = before.indexOf('one');
    isHeld.now = true;
    const underWay = program.call('GET', `/${key}`);
    await until(() => held.size === 1);
    isHeld.now = false;
    const drained = await post(program, '/balancer/drain', { hostname: hostnames[0] });
    t.match(drained, { status: 200, message: { drained: hostnames[0], left: { requests: 1, streams: 0 } } });
    t.same([...new Set(await spread(program))], ['two'], 'its keys go to the next seat');
    t.match((await program.json('/balancer/ring')).body, { absent: { [hostnames[0] as string]: 'drained' } });
    letGo();
    t.equal((await underWay).text, 'one');
    const again = await post(program, '/balancer/drain', { hostname: hostnames[0] });
    t.match(again.message, { left: { requests: 0 } });
    t.match(await post(program, '/balancer/undrain', { hostname: hostnames[0] }), { status: 200 });
    t.same(await spread(program), before, 'and come back');
    await program.logged(({ event, hostname }) => event === 'replica-drained' && hostname === hostnames[0]);
    await program.logged(({ event, hostname }) => event === 'replica-undrained' && hostname === hostnames[0]);
  });

  t.test(`drain and pause say which streams and tunnels are left, with ${workers} workers`, async (t) => {
    const { program, hostnames } = await withServices(t, ['--workers', workers]);
    const key = (await spread(program)).indexOf('one');
    const [stream, tunnel] = await Promise.all([connectRaw(program.port), connectRaw(program.port)]);
    stream.send(`GET /${key} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`);
    tunnel.send(`GET /${key} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n`);
    await Promise.all([stream.until(/data: 1/), tunnel.until(/open/)]);
    const left = { requests: 0, streams: 1, tunnels: 1 };
    t.same((await post(program, '/balancer/drain', { hostname: hostnames[0] })).message.left, left);
    t.same((await post(program, '/balancer/pause')).message.left, left);
    stream.socket.destroy();
    tunnel.socket.destroy();
    await eventually('nothing is left', async () => {
      const { message } = await post(program, '/balancer/drain', { hostname: hostnames[0] });
      return isDeepStrictEqual(message.left, { requests: 0, streams: 0, tunnels: 0 });
    });
  });

  t.test(`pause: requests wait, and go on when it is over, with ${workers} workers`, async (t) => {
    const { program, held, isHeld, letGo, services } = await withServices(t, ['--workers', workers]);
    isHeld.now = true;
    const underWay = program.call('GET', '/0');
    await until(() => held.size === 1);
    isHeld.now = false;
    t.match((await post(program, '/balancer/pause')).message, { paused: true, forMs: 30_000, left: { requests: 1 } });
    const waiting = Array.from({ length: 20 }, (_, key) => program.call('GET', `/waits-${key}`));
    t.match(await program.json('/balancer/ready'), { status: 503, body: { message: /held back/ } });
    t.match(await program.json('/balancer/live'), { status: 200 });
    letGo();
    t.equal((await underWay).status, 200, 'what is under way goes on');
    await sleep(200);
    t.notOk(services.some(({ received }) => received.join('').includes('waits-')));
    t.match((await post(program, '/balancer/resume')).message, { paused: false, wasPaused: true });
    t.same(new Set((await Promise.all(waiting)).map(({ status }) => status)), new Set([200]));
    t.match(await program.json('/balancer/ready'), { status: 200 });
  });
}

t.test('a pause ends by itself', async (t) => {
  const { program } = await withServices(t);
  t.match(await post(program, '/balancer/pause', { forMs: 700 }), { status: 200 });
  t.equal((await program.call('GET', '/')).status, 200);
  await program.logged(({ event }) => event === 'pause-over');
});

for (const heartbeats of ['off', '/']) {
  t.test(`as many wait in a pause as --queue says, with heartbeats ${heartbeats}`, async (t) => {
    const { program } = await withServices(t, ['--queue', '2', '--heartbeat-path', heartbeats]);
    t.match(await post(program, '/balancer/pause'), { status: 200 });
    const answered: string[] = [];
    const calls = Array.from({ length: 5 }, async () => {
      const answer = await program.call('GET', '/');
      answered.push(answer.text);
      return answer;
    });
    await until(() => answered.length === 3);
    for (const text of answered) t.match(text, /requests are held back, and as many as may be wait already/);
    t.match(await post(program, '/balancer/resume'), { status: 200 });
    t.same((await Promise.all(calls)).map(({ status }) => status).sort(), [200, 200, 503, 503, 503]);
  });
}

t.test('who waits too long in a pause learns why', async (t) => {
  const { program } = await withServices(t, ['--queue-timeout', '200ms']);
  t.match(await post(program, '/balancer/pause'), { status: 200 });
  t.match(await program.call('GET', '/'), {
    status: 503,
    text: /requests are held back, for longer than one may wait/,
  });
});

t.test('a pause that the program ends in holds nobody back', async (t) => {
  const { program } = await withServices(t);
  t.match(await post(program, '/balancer/pause'), { status: 200 });
  const waits = program.call('GET', '/');
  await sleep(100);
  program.process.kill('SIGTERM');
  t.equal((await waits).status, 200);
});

t.test('what cannot be is refused, and changes nothing', async (t) => {
  const { program, hostnames } = await withServices(t);
  const bad: [string, unknown, number, RegExp][] = [
    ['/balancer/drain', { hostname: 'nobody' }, 400, /hostname must be that of a replica/],
    ['/balancer/drain', {}, 400, /hostname must be that of a replica/],
    ['/balancer/drain', { hostname: hostnames[0], forced: true }, 400, /no member "forced"/],
    ['/balancer/drain', { hostname: hostnames[0], force: 1 }, 400, /force must be true or false/],
    ['/balancer/pause', { forMs: 0 }, 400, /forMs must be a whole number from 1 to 600000, not 0/],
    ['/balancer/pause', { for: 1 }, 400, /no member "for"/],
    ['/balancer/resume', { now: 1 }, 400, /no member "now"/],
  ];
  for (const [path, body, status, message] of bad) t.match(await post(program, path, body), { status, message });
  t.equal((await program.json('/balancer/ready')).status, 200);
  await post(program, '/balancer/drain', { hostname: hostnames[0] });
  t.match(await post(program, '/balancer/drain', { hostname: hostnames[1] }), { status: 409, message: /force/ });
  t.equal((await program.call('GET', '/')).text, 'two');
  t.match(await post(program, '/balancer/drain', { hostname: hostnames[1], force: true }), { status: 200 });
  t.match(await program.call('GET', '/'), { status: 503, text: /drained/ });
  t.match(await program.json('/balancer/ready'), { status: 503, body: { message: /drained/ } });
});

t.test('lame duck: ready says no first, while all works', async (t) => {
  const { program } = await withServices(t, ['--lame-duck', '1h']);
  const kept = await connectRaw(program.port);
  program.process.kill('SIGTERM');
  await program.logged(({ event, forMs }) => event === 'lame-duck' && forMs === 3_600_000);
  t.match(await program.json('/balancer/ready'), { status: 503, body: { message: /about to end/ } });
  t.equal((await program.json('/balancer/live')).status, 200);
  t.equal((await program.call('GET', '/')).status, 200, 'new connections are served');
  kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await kept.until(/one|two/);
  await sleep(300);
  program.process.kill('SIGTERM');
  t.equal(await program.exited, 0, 'a second signal cuts that short, and the end is in order');
});
