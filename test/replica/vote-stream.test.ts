// The limits of the stream, with a store that a test plays.

import { EventEmitter, once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createVoteStream, STREAM_LIMITS, type StreamLimits } from '../../replica/vote-stream.ts';
import type { Votes } from '../../replica/votes.ts';

async function listeners(t: Test, { padding = '', ...limits }: Partial<StreamLimits> & { padding?: string }) {
  const leave = new EventEmitter();
  let count = 0;
  let helm = 0;
  let asked = 0;
  const votes: Votes = {
    counts: async () => {
      asked += 1;
      return { docker: 0, helm, kubernetes: 0, prometheus: 0, ...(padding === '' ? {} : { padding }) };
    },
    add: () => Promise.reject(new Error('not here')),
    close: () => undefined,
  };
  const stream = createVoteStream('server1', votes, { ...STREAM_LIMITS, pollMs: 10, ...limits });
  const server = http.createServer((request, response) => {
    const number = count++;
    response.once('close', () => leave.emit('left', number));
    stream.serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.teardown(() => {
    stream.end();
    server.closeAllConnections();
    server.close();
  });
  return {
    connect: (method = 'GET', client?: string) =>
      new Promise<IncomingMessage>((resolve) => {
        const headers = client === undefined ? {} : { 'X-Forwarded-For': client };
        http.request({ port, host: '127.0.0.1', method, headers, agent: false }, resolve).end();
      }),
    setHelm: (count: number) => {
      helm = count;
    },
    asked: () => asked,
    /** Emits `left` with the number of an answer that is over. */
    leave,
  };
}

const until = (stream: IncomingMessage, fits: RegExp) =>
  new Promise<string>((resolve) => {
    let seen = '';
    stream.on('data', (bytes) => {
      seen += bytes;
      if (fits.test(seen)) resolve(seen);
    });
  });

t.test('the store is asked only while somebody listens, and once for all who do', async (t) => {
  const { connect, asked, setHelm } = await listeners(t, { pollMs: 50 });
  // Here and below, the replica's real timers would read the store during this time if it did so at all.
  await sleep(100);
  t.equal(asked(), 0);
  const streams = await Promise.all(Array.from({ length: 20 }, () => connect()));
  const begun = asked();
  setHelm(1);
  await Promise.all(streams.map((stream) => until(stream, /"helm":1/)));
  t.ok(asked() - begun <= 3, `${asked() - begun} times`);
  for (const stream of streams) stream.destroy();
  await sleep(120);
  const ended = asked();
  await sleep(120);
  t.equal(asked(), ended);
});

t.test('more than may listen are refused with 503, until one has left', async (t) => {
  const { connect } = await listeners(t, { maxListeners: 2 });
  const [first] = await Promise.all([connect(), connect()]);
  const refused = await connect();
  t.match(refused, { statusCode: 503, headers: { 'retry-after': '1' } });
  refused.destroy();
  first?.destroy();
  for (;;) {
    const stream = await connect();
    if (stream.statusCode === 200) break;
    stream.destroy();
  }
});

t.test('one client takes so many of the places and no more, whatever it says that it is', async (t) => {
  const { connect } = await listeners(t, { maxListenersPerClient: 2 });
  const statuses = async (...clients: (string | undefined)[]) => {
    const answers: number[] = [];
    for (const client of clients) answers.push((await connect('GET', client)).statusCode ?? 0);
    return answers;
  };
  // The address that the balancer adds comes last, and counts.
  t.same(
    await statuses('192.0.2.1', '192.0.2.9, 192.0.2.1', '198.51.100.7,192.0.2.1', '192.0.2.2'),
    [200, 200, 429, 200],
  );
  // For IPv6, the network of the host counts.
  t.same(
    await statuses('2001:db8::1', '2001:db8:0:0:5::', '2001:db8::2:3:4:5', '2001:db8:0:1::1'),
    [200, 200, 429, 200],
  );
  t.same(await statuses('::ffff:192.0.2.5', '::ffff:192.0.2.6', '::ffff:192.0.2.7'), [200, 200, 200]);
  // Without a balancer in front.
  t.same(await statuses(undefined, undefined, undefined), [200, 200, 429]);
});

t.test('a thousand connections of one client do not lock out another', async (t) => {
  const { connect } = await listeners(t, {});
  const many = await Promise.all(Array.from({ length: 1000 }, () => connect('GET', '192.0.2.1')));
  t.equal(many.filter(({ statusCode }) => statusCode === 200).length, STREAM_LIMITS.maxListenersPerClient);
  t.equal((await connect('GET', '192.0.2.2')).statusCode, 200);
  many.find(({ statusCode }) => statusCode === 200)?.destroy();
  // The place is free once the replica has seen the client leave.
  for (;;) {
    const stream = await connect('GET', '192.0.2.1');
    if (stream.statusCode === 200) break;
    stream.destroy();
  }
});

t.test('a comment goes out when there is nothing to tell', async (t) => {
  const { connect } = await listeners(t, { keepAliveMs: 30 });
  t.match(await until(await connect(), /(: still here\n\n){2}/), /^retry: 500\n/);
});

t.test('who does not read is cut off, others go on', async (t) => {
  const { connect, setHelm, leave } = await listeners(t, { pollMs: 1, padding: 'x'.repeat(100_000) });
  const lazy = await connect();
  lazy.pause();
  const left = once(leave, 'left');
  const keen = await connect();
  keen.resume();
  let count = 0;
  const timer = setInterval(() => setHelm(++count), 1);
  t.teardown(() => clearInterval(timer));
  t.same(await left, [0]);
  await until(keen, /"helm":\d/);
});

t.test('HEAD has the head alone', async (t) => {
  const { connect, asked } = await listeners(t, {});
  const answer = await connect('HEAD');
  t.match(answer, { statusCode: 200, headers: { 'content-type': 'text/event-stream' } });
  for await (const _ of answer);
  t.equal(asked(), 0);
});
