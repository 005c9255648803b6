// `--workers`: the real program over two threads. A worker is ended from outside, by a hash of one's own that does in a
// worker what a mistake of ours could do.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Program, type ProgramStart, startProgram } from '../../bench/harness/program.ts';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { waitAfter } from '../../lib/proxy/workers/crew.ts';
import { openEvents } from '../fixtures/event-source.ts';
import { eventually } from '../fixtures/eventually.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.setTimeout(120_000);

const TWO = ['--workers', '2', '--log', 'debug'];
const DEEDS = {
  throws: 'setTimeout(() => { throw new Error("a mistake of mine"); });',
  exits: 'process.exit(3);',
  eats: 'for (const all = [];;) all.push(new Array(100_000).fill(0.5));',
  hangs: 'for (;;);',
};
type Deed = keyof typeof DEEDS;

/** The program with a hash by which a request with `X-Do: throws` makes its worker throw, and so on. */
async function startWith(t: Test, args: readonly string[], start: ProgramStart = {}): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-workers-'));
  const path = join(directory, 'hash.mjs');
  const deeds = Object.entries(DEEDS).map(([deed, code]) => `if (key === ${hashText(deed)}) { ${code} }`);
  await writeFile(
    path,
    `import { isMainThread } from 'node:worker_threads';
     export function requestSlot(key, slots) {
       if (!isMainThread) { ${deeds.join(' ')} }
       return key % slots;
     }
     export const virtualNodeSlot = (place, index, slots) => place * 100 + index * 7;`,
  );
  const program = await startProgram([...TWO, '--hash', path, '--key', 'header:x-do', ...args], {}, start);
  t.teardown(async () => {
    await program.stop();
    await rm(directory, { recursive: true });
  });
  return program;
}

/** Connections that are kept, each with the worker that has it. */
async function connections(program: Program, count: number): Promise<{ client: RawClient; worker: number }[]> {
  const all: { client: RawClient; worker: number }[] = [];
  for (let index = 0; index < count; index++) {
    const client = await connectRaw(program.port);
    const path = `/at-${program.log.length}-${index}`;
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const line = await program.logged((one) => one.event === 'request' && one.url === path);
    all.push({ client, worker: line.worker as number });
  }
  return all;
}

/** Makes one worker do that. Resolves with its number when it has ended. */
async function strike(program: Program, deed: Deed): Promise<number> {
  const known = program.log.length;
  const client = await connectRaw(program.port);
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Do: ${deed}\r\n\r\n`);
  const isNew = (line: Program['log'][number]) => line.event === 'worker-lost' && program.log.indexOf(line) >= known;
  return (await program.logged(isNew)).worker as number;
}

async function isServed({ client }: { client: RawClient }): Promise<void> {
  const had = client.text.length;
  client.send('GET /again HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.slice(had).includes('HTTP/1.1 200') || text.slice(had).includes('HTTP/1.1 400'));
}

t.test('connections are spread over both, and each request has an id of its own', async (t) => {
  const program = await startProgram(TWO);
  t.teardown(() => program.stop());
  const all = await connections(program, 40);
  for (const worker of [1, 2]) t.ok(all.filter((one) => one.worker === worker).length >= 5, `worker ${worker}`);
  const ids = program.log.filter(({ event }) => event === 'request').map((line) => line.requestId);
  t.equal(new Set(ids).size, 40);
  for (const { client } of all) client.socket.destroy();
});

t.test('/rm is answered when no worker sends anything there any more', async (t) => {
  let late = 0;
  let isRemoved = false;
  const leaving = await scriptedReplica((socket) => {
    if (isRemoved) late += 1;
    socket.write(reply('leaving'));
  });
  const staying = await scriptedReplica((socket) => socket.write(reply('staying')));
  t.teardown(() => Promise.all([leaving.close(), staying.close()]));
  const upstream = `${leaving.upstream},${staying.upstream}`;
  const program = await startProgram(['--workers', '2', '--upstream', upstream, '--heartbeat-path', 'off']);
  t.teardown(() => program.stop());
  let isOver = false;
  const traffic = Array.from({ length: 12 }, async () => {
    const client = await connectRaw(program.port);
    for (let had = 0; !isOver; had = client.text.length) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.until((text) => /(leav|stay)ing$/.test(text.slice(had)));
    }
    client.socket.destroy();
    return client.text;
  });
  await eventually('requests reach it', () => leaving.received.join('').length > 20_000);
  const { status } = await program.call('DELETE', '/rm', { n: 1, hostnames: [leaving.upstream] });
  isRemoved = true;
  t.equal(status, 200);
  for (let count = 0; count < 20; count++) t.match(await (await fetch(program.url)).text(), /staying/);
  isOver = true;
  const answers = await Promise.all(traffic);
  t.equal(late, 0);
  t.notMatch(answers.join(''), /HTTP\/1.1 5/);
});

for (const deed of ['throws', 'exits', 'eats'] as const) {
  t.test(`a worker that ${deed} costs only its own connections, and is replaced`, async (t) => {
    const start = deed === 'eats' ? { nodeFlags: ['--max-old-space-size=128'] } : {};
    const program = await startWith(t, [], start);
    const all = await connections(program, 16);
    const lost = await strike(program, deed);
    t.match(
      program.log.find(({ event }) => event === 'worker-lost'),
      { level: 'error', worker: lost, reason: { throws: 'a mistake of mine', exits: /code 3/, eats: /memory/ }[deed] },
    );
    for (const one of all) {
      if (one.worker === lost) await one.client.closed;
      else await isServed(one);
    }
    await program.logged(({ event }) => event === 'worker-replaced');
    const after = await connections(program, 16);
    t.same([...new Set(after.map((one) => one.worker))].sort(), [1, 2], 'both take connections');
    await program.call('POST', '/add', { n: 1, hostnames: ['later'] });
    const { body } = await program.json('/balancer/ring');
    t.match(JSON.stringify(body), /later/);
    for (const { client } of [...all, ...after]) client.socket.destroy();
  });
}

t.test('one that hangs is ended after 10 s; meanwhile the other serves', async (t) => {
  const program = await startWith(t, []);
  const all = await connections(program, 16);
  const ended = strike(program, 'hangs');
  const lost = await ended;
  for (const one of all.filter(({ worker }) => worker !== lost)) await isServed(one);
  const line = program.log.find(({ event }) => event === 'worker-lost');
  t.match(line, { reason: 'it has not answered for 10 s' });
  await program.logged(({ event }) => event === 'worker-replaced');
  for (const { client } of all) client.socket.destroy();
});

t.test('what was counted stays counted, and a worker that ends again and again waits longer each time', async (t) => {
  const program = await startWith(t, []);
  for (const { client } of await connections(program, 20)) client.socket.destroy();
  const source = await openEvents(`${program.url}/balancer/events`);
  const counted = ({ traffic }: { traffic: { requests: number }[] }) =>
    traffic.reduce((sum, { requests }) => sum + requests, 0);
  t.equal(counted(await source.until('traffic', (data) => counted(data) >= 20)), 20);
  const waits: [times: number, nextInMs: number][] = [];
  // The stream ends with the worker that has it, as for any client.
  for (let count = 0; count < 6; count++) {
    const lost = await strike(program, 'exits');
    const lines = program.log.filter((line) => line.event === 'worker-lost' && line.worker === lost);
    waits.push([lines.length, Number(lines.at(-1)?.nextInMs)]);
    await eventually('it is replaced', () => {
      const replaced = program.log.filter((line) => line.event === 'worker-replaced' && line.worker === lost);
      return replaced.length === lines.length;
    });
  }
  // On a busy machine one may live so long that it counts as stable, and the next one waits less.
  for (const [times, waitMs] of waits) t.ok(waitMs <= waitAfter(times), `${waitMs} ms after ${times} ends`);
  const again = await openEvents(`${program.url}/balancer/events`);
  t.ok(counted(await again.until('traffic')) >= 20);
  again.close();
  source.close();
});

t.test('what a worker counted in the moment before it ended is not lost', async (t) => {
  const program = await startWith(t, []);
  const all = await connections(program, 20);
  const before = await requestsCounted(program);
  // Between two looks at the counters.
  for (const { client } of all) client.send('GET /last HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5));
  await Promise.all(all.map(({ client }) => client.until((text) => text.split('HTTP/1.1 ').length - 1 >= 6)));
  for (const times of [1, 2]) {
    await strike(program, 'exits');
    await eventually('it is replaced', () => program.log.filter(isReplaced).length === times);
  }
  await eventually('all are counted', async () => (await requestsCounted(program)) >= before + 100);
});

const isReplaced = (line: { readonly event: string }) => line.event === 'worker-replaced';

async function requestsCounted(program: Program): Promise<number> {
  const source = await openEvents(`${program.url}/balancer/events`);
  const { traffic } = await source.until('traffic');
  source.close();
  return traffic.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0);
}

t.test('requests that are the balancer’s own are answered as with one worker', async (t) => {
  const program = await startProgram(['--workers', '2', '--replicas', '1']);
  t.teardown(() => program.stop());
  const ask = (head: string, body = '') => exchangeRaw(program.port, `${head.replaceAll('\n', '\r\n')}\r\n\r\n${body}`);
  const chunked = 'DELETE /rm?only-named HTTP/1.1\nHost: localhost\nConnection: close\nTransfer-Encoding: chunked';
  t.match(await ask(chunked, '1f\r\n{"n":1,"hostnames":["missing"]}\r\n0\r\n\r\n'), /^HTTP\/1.1 400 .*missing/s);
  const behind = 'POST /add HTTP/1.0\nHost: localhost\nConnection: close\nContent-Length: 7';
  t.match(await ask(behind, '{"n":1}'), /^HTTP\/1.1 401 .*HTTP\/1.0 with Connection: close/s);
  const forged =
    'POST /add HTTP/1.1\nHost: evil.example\nOrigin: http://evil.example\nConnection: close\nContent-Length: 7';
  t.match(await ask(forged, '{"n":1}'), /^HTTP\/1.1 403 /);
  t.match(await ask('GET /rep HTTP/1.0'), /^HTTP\/1.1 200 .*Connection: close\r\n.*server1/s);
  const waiting = await connectRaw(program.port);
  waiting.send('POST /add HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n');
  await waiting.until(/^HTTP\/1.1 100 Continue\r\n\r\n/);
  waiting.send('{"n":1}');
  await waiting.until(/HTTP\/1.1 200 OK.*"N":2/s);
  waiting.send('GET /rep HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waiting.until(/"N":2.*HTTP\/1.1 200 OK.*"N":2/s);
  waiting.socket.destroy();
});

t.test('the events of the dashboard come through a worker, and its end is noticed', async (t) => {
  const program = await startProgram(['--workers', '2', '--replicas', '1']);
  t.teardown(() => program.stop());
  const open = () => openEvents(`${program.url}/balancer/events`);
  const all = await Promise.all(Array.from({ length: 16 }, open));
  await Promise.all(all.map((source) => source.until('traffic')));
  t.equal((await open()).status, 503, 'as many as one address may have, over both workers');
  for (const source of all) source.close();
  await eventually('they have left', async () => {
    const again = await open();
    again.close();
    return again.status === 200;
  });
});

t.test('at the end what is open is answered within the grace, and cut after it', async (t) => {
  let answer = () => {};
  const slow = await scriptedReplica((socket, _head, count) => {
    const before = answer;
    answer = () => {
      before();
      if (count < 8) socket.write(reply('late'));
    };
  });
  t.teardown(() => slow.close());
  const args = ['--workers', '2', '--upstream', slow.upstream, '--heartbeat-path', 'off', '--grace', '1s'];
  const program = await startProgram(args);
  const clients = await Promise.all(Array.from({ length: 12 }, () => connectRaw(program.port)));
  for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually('all are asked', () => slow.received.filter((text) => text !== '').length === 12);
  const ended = program.stop();
  await program.logged(({ event }) => event === 'closing');
  answer();
  const ends = await Promise.all(clients.map(({ closed }) => closed));
  t.equal(ends.filter(({ text }) => /^HTTP\/1.1 200 .*late$/s.test(text)).length, 8);
  await ended;
  t.equal(await program.exited, 0);
});

t.test('a port that is taken is refused, also where it is shared', async (t) => {
  const program = await startProgram(['--workers', '2', '--replicas', '0']);
  t.teardown(() => program.stop());
  const args = ['--workers', '2', '--replicas', '0', '--port', String(program.port)];
  await t.rejects(startProgram(args), /is in use/);
});

t.test('each request id is used once, whichever worker gives it, and they spread as evenly as by one', async (t) => {
  const program = await startProgram(TWO);
  t.teardown(() => program.stop());
  const all = await connections(program, 20);
  t.same([...new Set(all.map(({ worker }) => worker))].sort(), [1, 2]);
  const ids = new Set<string>();
  const counts = new Map<string, number>();
  const ask = async ({ client }: { client: RawClient }) => {
    const from = client.text.length;
    client.send('GET /heartbeat HTTP/1.1\r\nHost: a\r\nX-Ringmaster-Explain: 1\r\n\r\n');
    const isWhole = (text: string) =>
      /\r\n\r\n.*$/s.test(text.slice(from)) && text.slice(from).includes('X-Ringmaster-Order');
    const got = (await client.until(isWhole)).slice(from);
    ids.add(/X-Ringmaster-Request-Id: (\d+)/.exec(got)?.[1] ?? '');
    const replica = /X-Ringmaster-Replica: (\w+)/.exec(got)?.[1] ?? '';
    counts.set(replica, (counts.get(replica) ?? 0) + 1);
  };
  for (let round = 0; round < 60; round++) for (const one of all) await ask(one);
  t.equal(ids.size, 60 * 20);
  // 1,200 requests in turn over three replicas of equal shares.
  t.ok(
    [...counts.values()].every((count) => Math.abs(count - 400) <= 12),
    JSON.stringify([...counts]),
  );
});

t.test('there are no more connections than the limit, however they fall on the workers', async (t) => {
  const program = await startProgram([...TWO, '--max-connections', '10']);
  t.teardown(() => program.stop());
  const kept = await connections(program, 10);
  for (let count = 0; count < 6; count++) {
    t.match(await exchangeRaw(program.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 503 /);
  }
  kept[0]?.client.socket.destroy();
  await eventually('a place is free', async () =>
    /^HTTP\/1.1 200 /.test(
      await exchangeRaw(program.port, 'GET /heartbeat HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    ),
  );
});

t.test('no replica has more tunnels than the limit, however they fall on the workers', async (t) => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nopen';
  const replica = await scriptedReplica((socket) => socket.write(switching));
  t.teardown(() => replica.close());
  const args = [...TWO, '--upstream', replica.upstream, '--heartbeat-path', 'off', '--max-tunnels', '7'];
  const program = await startProgram(args);
  t.teardown(() => program.stop());
  const ask = async () => {
    const client = await connectRaw(program.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    return { client, isOpen: (await client.until(/open$|failure"}$/)).endsWith('open') };
  };
  const open: RawClient[] = [];
  for (let count = 0; count < 20; count++) {
    const { client, isOpen } = await ask();
    if (isOpen) open.push(client);
  }
  t.equal(open.length, 7);
  for (const { socket } of open) socket.destroy();
  await eventually('there is room again', async () => (await ask()).isOpen);
});
