// The ring as a client sees it: how evenly requests spread, where it says that they go, and what a change would move.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { random, runSeed } from '../fixtures/random.ts';

interface Explained {
  key: number;
  slot: number;
  owner: string;
  replica: string;
  skipped: { replica: string; why: string }[];
  order: string[];
}
interface RingPage {
  slots: number;
  digest: string;
  points: { slot: number; seat: number; replica: string }[];
  shares: Record<string, number>;
  maxOverMean: number;
  balance: { factor: number | null; diverted: number };
}
interface Imagined {
  message: {
    N: number;
    replicas: string[];
    dryRun: boolean;
    moved: number;
    moves: { from: string; to: string; fraction: number }[];
    shares: Record<string, number>;
    maxOverMean: number;
  };
}

/** An upstream that names itself in every answer. */
async function startUpstream(): Promise<{ name: string; close: () => void }> {
  const server = http.createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { name, close: () => server.close().closeAllConnections() };
}

interface Answer {
  body: string;
  headers: http.IncomingHttpHeaders;
}

function asker(program: Program): (method: string, path: string, headers?: object, body?: string) => Promise<Answer> {
  const agent = new http.Agent({ keepAlive: true });
  return (method, path, headers = {}, body = '') =>
    new Promise((resolve, reject) => {
      const options = {
        agent,
        method,
        path,
        port: program.port,
        headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
      };
      const request = http.request(options, (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve({ body: text, headers: response.headers }));
      });
      request.on('error', reject);
      request.end(body);
    });
}

t.test('the explained replica is the one that serves, for 10,000 random requests', async (t) => {
  const seed = runSeed();
  t.comment(`seed ${seed}`);
  const upstreams = await Promise.all([startUpstream(), startUpstream(), startUpstream(), startUpstream()]);
  // One of the five upstreams is down, and its requests go on to the next one.
  upstreams[3]?.close();
  const program = await startProgram([
    `--upstream=${upstreams.map(({ name }) => name).join(',')}`,
    '--key=header:X-User,cookie:id,query:q,json:user.name,request',
  ]);
  t.teardown(async () => {
    await program.stop();
    for (const upstream of upstreams) upstream.close();
  });
  const chance = random(seed);
  const ask = asker(program);
  const explain = async (question: object) =>
    JSON.parse((await ask('POST', '/balancer/explain', {}, JSON.stringify(question))).body) as Explained;
  const met = new Set<string>();
  let skipped = 0;
  for (let count = 0; count < 10_000; count++) {
    const name = `${chance.below(2) === 0 ? 'user' : 'jürgen'}-${chance.below(1e6)}`;
    // Encodes the name as a browser sends it: in UTF-8, with one character for each byte.
    const bytes = Buffer.from(name).toString('latin1');
    const kind = ['header', 'cookie', 'query', 'body', 'request id'][chance.below(5)] as string;
    const headersWith = (value: string) => ({
      ...(kind === 'header' ? { 'x-user': value } : {}),
      ...(kind === 'cookie' ? { Cookie: `a=b; id=${value}` } : {}),
    });
    const path = kind === 'query' ? `/any?q=${encodeURIComponent(name)}` : '/any';
    const sent = kind === 'body' ? { user: { age: 7, name } } : '';
    const before =
      kind === 'request id'
        ? undefined
        : await explain({ method: 'POST', path, headers: headersWith(name), body: sent });
    const { body, headers: fields } = await ask(
      'POST',
      path,
      { ...headersWith(bytes), 'X-Ringmaster-Explain': '1' },
      sent === '' ? '' : JSON.stringify(sent),
    );
    const told = before ?? (await explain({ requestId: Number(fields['x-ringmaster-request-id']) }));
    met.add(`${kind} ${body}`);
    skipped += told.skipped.length;
    if (
      told.replica !== body ||
      fields['x-ringmaster-replica'] !== body ||
      fields['x-ringmaster-owner'] !== told.owner ||
      fields['x-ringmaster-slot'] !== String(told.slot) ||
      fields['x-ringmaster-key'] !== String(told.key) ||
      fields['x-ringmaster-order'] !== told.order.join(', ') ||
      fields['x-ringmaster-skipped'] !== told.skipped.map(({ replica, why }) => `${replica} (${why})`).join(', ')
    ) {
      t.fail(
        `${kind} ${name}: served by ${body}, explained as ${JSON.stringify(told)}, headers ${JSON.stringify(fields)}`,
      );
      break;
    }
  }
  t.equal(met.size, 15, 'every kind of key met each of the three replicas');
  t.ok(skipped > 1000, `the dead one was passed over ${skipped} times`);
});

t.test('10,000 requests without a key come out even, one at a time and 50 at a time', async (t) => {
  // All three run in one process, so that none is slower than the others. Requests held back for a slow one would be
  // missing at the end.
  const upstreams = await Promise.all([startUpstream(), startUpstream(), startUpstream()]);
  const program = await startProgram([`--upstream=${upstreams.map(({ name }) => name).join(',')}`]);
  t.teardown(async () => {
    await program.stop();
    for (const upstream of upstreams) upstream.close();
  });
  for (const concurrency of [1, 50]) {
    const counts = new Map<string, number>();
    const ask = asker(program);
    let left = 10_000;
    const client = async () => {
      while (left-- > 0) {
        const { body } = await ask('GET', '/home');
        counts.set(body, (counts.get(body) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, client));
    t.equal(counts.size, 3);
    const max = (Math.max(...counts.values()) * 3) / 10_000;
    t.ok(max <= 1.005, `${concurrency} at a time: ${max} times the mean, ${[...counts.values()]}`);
  }
});

t.test(
  'the ring tells its points and shares; a dry run tells what a change would move, and then it does',
  async (t) => {
    const program = await startProgram(['--max-replicas', '8']);
    t.teardown(() => program.stop());
    const post = (method: string, path: string, body: object) =>
      program.json(path, { method, body: JSON.stringify(body) });
    const ring = async () => (await program.json('/balancer/ring')).body as RingPage;
    const before = await ring();
    t.match(before, { slots: 512, virtualNodes: 9, hash: 'even', digest: /^[0-9a-f]{16}$/, balance: { factor: 1.25 } });
    t.equal(before.points.length, 27);
    t.match(before.points[0], { slot: 20, seat: 3, replica: 'server3' });
    t.same(Object.keys(before.shares), ['server1', 'server2', 'server3']);
    t.ok(before.maxOverMean <= 1.01);

    const add = { n: 2, hostnames: ['heavy', 'light'], weights: [2] };
    const imagined = (await post('POST', '/add?dry-run', add)).body as Imagined;
    t.match(imagined.message, { N: 5, replicas: ['server1', 'server2', 'server3', 'heavy', 'light'], dryRun: true });
    t.same([...new Set(imagined.message.moves.map((move) => move.to))].sort(), ['heavy', 'light']);
    t.ok(Math.abs(imagined.message.moved - 0.5) < 0.01, `half of the keys: ${imagined.message.moved}`);
    t.ok(Math.abs((imagined.message.shares.heavy as number) - 2 / 6) < 0.01, 'a weight of 2 is a third');
    t.equal((await ring()).digest, before.digest, 'nothing was done');
    t.same(await program.hostnames(), ['server1', 'server2', 'server3']);

    await post('POST', '/add', add);
    const after = await ring();
    t.same(after.shares, imagined.message.shares, 'as it was foretold');
    t.equal(after.maxOverMean, imagined.message.maxOverMean);

    const without = (await post('DELETE', '/rm?dry-run', { n: 1, hostnames: ['heavy'] })).body as Imagined;
    t.same([...new Set(without.message.moves.map((move) => move.from))], ['heavy']);
    t.equal((await program.hostnames()).length, 5);
    await post('DELETE', '/rm', { n: 2, hostnames: ['heavy', 'light'] });
    t.equal((await ring()).digest, before.digest, 'every key is back where it was');
  },
);

t.test('/balancer/keys tells which keys are hot, and where they lead', async (t) => {
  const program = await startProgram(['--key', 'header:x-room']);
  t.teardown(() => program.stop());
  const ask = asker(program);
  for (const room of ['a', 'a', 'b', 'a']) await ask('GET', '/home', { 'x-room': room });
  const { source, requests, classes, keys } = JSON.parse((await ask('GET', '/balancer/keys')).body);
  t.equal(requests, 4);
  t.equal(source, 'header:x-room');
  t.same(classes, [{ class: 'header', owner: 4, other: 0 }]);
  const { key, slot, owner } = JSON.parse((await ask('POST', '/balancer/explain', {}, '{"key":"a"}')).body);
  const seat = Number(/\d$/.exec(owner)?.[0]);
  t.same(keys[0], { key, slot, owner, home: null, seat, requests: 3, error: 0, part: 0.75 });
  t.match(keys[1], { requests: 1, part: 0.25 });
  t.equal(keys.length, 2);
  const { body: metrics } = await ask('GET', '/balancer/metrics');
  t.match(metrics, '\nringmaster_hottest_key_ratio 0.75\n');
  t.match(metrics, '\nringmaster_keyed_requests_total{key="header",at="owner"} 4\n');
});

t.test('what cannot be explained or imagined is refused with the reason', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  const post = (path: string, body: string) => program.json(path, { method: 'POST', body });
  t.match(await post('/balancer/explain', '{"path": "/home"}'), { status: 400, body: { message: /requestId/ } });
  t.match(await post('/balancer/explain', 'x'), { status: 400, body: { message: /not JSON/, status: 'failure' } });
  for (const n of ['64', '30000000', '4294967296', '1e20']) {
    const answer = await post('/add?dry-run', `{"n": ${n}}`);
    t.match(answer, { status: 400, body: { message: /n must be at most 63 now/ } }, n);
  }
  t.match(await post('/add?dry_run', '{"n": 1}'), { status: 400, body: { message: /may have dry-run, not dry_run/ } });
  t.match(await post('/add', '{"n": 1, "hostnames": ["server1"], "weights": [2]}'), { status: 400 });
  const rm = await program.json('/rm', { method: 'DELETE', body: '{"n": 1, "weights": [2]}' });
  t.match(rm, { status: 400, body: { message: /weights are for \/add/ } });
  t.match(await post('/add', '{"n": 1, "weights": [99]}'), { status: 400, body: { message: /weights\[0\]/ } });
  t.same(await program.hostnames(), ['server1']);
});

t.test(
  'with only-named just these are removed: a name that is not there is refused, and nothing changes',
  async (t) => {
    const program = await startProgram();
    t.teardown(() => program.stop());
    const remove = (query: string, body: object) =>
      program.json(`/rm?${query}`, { method: 'DELETE', body: JSON.stringify(body) });
    for (const query of ['only-named', 'dry-run&only-named']) {
      const gone = await remove(query, { n: 2, hostnames: ['SERVER1', 'gone'] });
      t.match(gone, {
        status: 400,
        body: { message: /^<Error> hostnames\[1\] .* there is no gone$/, status: 'failure' },
      });
      const more = await remove(query, { n: 2, hostnames: ['server1'] });
      t.match(more, { status: 400, body: { message: /n must be the number of hostnames with only-named, 1, not 2/ } });
    }
    t.match(await remove('only_named', { n: 1 }), {
      status: 400,
      body: { message: /dry-run and only-named, not only_n/ },
    });
    const add = await program.json('/add?only-named', { method: 'POST', body: '{"n": 1}' });
    t.match(add, { status: 400, body: { message: /may have dry-run, not only-named/ } });
    t.same(await program.hostnames(), ['server1', 'server2', 'server3']);
    const imagined = await remove('dry-run&only-named', { n: 1, hostnames: ['Server2'] });
    t.match(imagined, { status: 200, body: { message: { replicas: ['server1', 'server3'] } } });
    await remove('only-named', { n: 1, hostnames: ['Server2'] });
    t.same(await program.hostnames(), ['server1', 'server3']);
  },
);

t.test('nobody but this machine may ask why: on other addresses the fields are not added', async (t) => {
  const program = await startProgram(['--host', '0.0.0.0', '--replicas', '1']);
  t.teardown(() => program.stop());
  const { headers } = await asker(program)('GET', '/home', { 'X-Ringmaster-Explain': '1' });
  t.equal(headers['x-ringmaster-replica'], undefined);
});

t.test('with a slow start a joiner begins with one slot of its own, and its keys stay where they were', async (t) => {
  const program = await startProgram(['--slow-start', '24h', '--key', 'header:X-User']);
  t.teardown(() => program.stop());
  const ask = asker(program);
  const served = async () => {
    const names: string[] = [];
    for (let user = 0; user < 200; user++) names.push((await ask('GET', '/home', { 'X-User': `u${user}` })).body);
    return names;
  };
  const before = await served();
  await program.json('/add', { method: 'POST', body: '{"n": 1, "hostnames": ["slow"]}' });
  const after = await served();
  const moved = after.filter((name, user) => name !== before[user]);
  // One of 512 slots has to move, which is less than one of 200 keys on average.
  t.ok(moved.length <= 5, `${moved.length} of 200 moved`);
  t.ok(moved.every((name) => name.includes('slow')));
});

t.test('weights may add up to what the ring has room for', async (t) => {
  const program = await startProgram(['--replicas', '1', '--virtual-nodes', '256', '--slots', '4096']);
  t.teardown(() => program.stop());
  const imagined = (weights: number[]) =>
    program.json('/add?dry-run', { method: 'POST', body: JSON.stringify({ n: weights.length, weights }) });
  t.match(await imagined([16, 16, 16, 15]), { status: 200 });
  t.match(await imagined([16, 16, 16, 16]), {
    status: 400,
    body: { message: /weights must add up to at most 64, what the ring has room for, not 65 with all replicas/ },
  });
});

t.test('/rm without hostnames leaves the ring as even as it can be', async (t) => {
  const program = await startProgram(['--replicas', '6', '--heartbeat-interval', '5s']);
  t.teardown(() => program.stop());
  const removed = async (path: string, n: number) => {
    const { body } = await program.json(path, { method: 'DELETE', body: JSON.stringify({ n }) });
    return (body as { message: { maxOverMean: number; replicas: string[] } }).message;
  };
  for (const [n, most] of [
    [5, 1],
    [4, 1],
    [3, 1.0021],
    [2, 1],
    [1, 1.006],
  ] as const) {
    for (let round = 0; round < 3; round++) {
      const { maxOverMean } = await removed('/rm?dry-run', n);
      t.ok(maxOverMean <= most, `${n} of six: ${maxOverMean}`);
    }
  }
  await removed('/rm', 3);
  const { body } = await program.json('/balancer/ring');
  t.ok((body as { maxOverMean: number }).maxOverMean <= 1.0021);
});
