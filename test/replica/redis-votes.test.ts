// Votes in Redis: the contract on a real redis-server, and what may happen to it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createRedisClient } from '../../replica/redis-client.ts';
import { redisVotes } from '../../replica/redis-votes.ts';
import { MAX_KEYS, type Votes } from '../../replica/votes.ts';
import { votesContract } from '../contract/votes.ts';
import { type Redis, redisMissing, startRedis } from '../fixtures/redis.ts';

const missing = redisMissing();
const options = missing === undefined ? {} : { skip: missing };
const helm = (key?: string) => ({ option: 'helm', key }) as const;

function open(t: Test, url: string): Votes {
  const votes = redisVotes(url);
  t.teardown(() => votes.close());
  return votes;
}

async function redis(t: Test, password?: string): Promise<Redis> {
  const started = await startRedis(password);
  t.teardown(() => started.close());
  return started;
}

/** Runs a command of the test in the database that the fixture's URL names. */
async function command(port: number, ...words: readonly string[]): Promise<unknown> {
  const client = createRedisClient(`redis://127.0.0.1:${port}/1`, 5000);
  try {
    return await client.send(...words);
  } finally {
    client.close();
  }
}

t.test('the contract', options, async (t) => {
  const { url } = await redis(t);
  let database = 1;
  t.beforeEach(() => {
    database += 1;
  });
  votesContract(t, () => open(t, url.replace(/\d+$/, String(database))));
});

t.test('a password that is right, or not', options, async (t) => {
  const { url, port } = await redis(t, 'p@ss:w/rd');
  t.match(await open(t, url).add(helm('a')), { helm: 1 });
  await t.rejects(open(t, `redis://:wrong@127.0.0.1:${port}`).add(helm('b')), {
    code: 'unavailable',
    message: /^Redis at 127\.0\.0\.1:\d+ says: WRONGPASS/,
  });
  await t.rejects(open(t, `redis://127.0.0.1:${port}`).counts(), { code: 'unavailable', message: /NOAUTH/ });
});

t.test('a database that is not there: refused, and nothing goes into another one', options, async (t) => {
  const { port } = await redis(t);
  await t.rejects(open(t, `redis://127.0.0.1:${port}/99`).add(helm()), {
    message: /says: ERR DB index is out of range/,
  });
  t.match(await open(t, `redis://127.0.0.1:${port}`).counts(), { helm: 0 });
});

t.test(
  'a Redis that is killed: refused with the reason, and back by itself with all votes and keys',
  options,
  async (t) => {
    const server = await redis(t);
    const votes = open(t, server.url);
    await votes.add(helm('a'));
    await server.kill();
    // The vote has been sent if the end of the connection was not seen before.
    await t.rejects(votes.add(helm('b')), {
      code: /^(unavailable|unanswered)$/,
      message: /^Redis at .* (cannot be reached|closed)/,
    });
    await t.rejects(votes.counts(), { code: 'unavailable', message: /^Redis at .* cannot be reached: .*ECONNREFUSED/ });
    await server.start();
    t.match(await votes.add(helm('a')), { helm: 1 });
    t.match(await votes.add(helm('b')), { helm: 2 });
  },
);

t.test('a Redis that hangs: refused within 3 s, and back when it goes on', options, async (t) => {
  const server = await redis(t);
  const votes = open(t, server.url);
  await votes.add(helm('a'));
  server.process.kill('SIGSTOP');
  const begunMs = performance.now();
  await t.rejects(votes.add(helm('b')), { code: 'unanswered', message: /did not answer within 2000 ms$/ });
  t.ok(performance.now() - begunMs < 3000);
  server.process.kill('SIGCONT');
  // Redis may have read the vote before it was given up, which is why votes have a key.
  t.match(await votes.add(helm('b')), { helm: 2 });
});

t.test('a Redis that cannot be connected to in time: nothing went out, so nothing was counted', async (t) => {
  // A server that never accepts: the kernel completes two connections for its queue of one, and leaves the next one
  // waiting.
  const script =
    'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))';
  const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => server.kill('SIGKILL'));
  const port = Number(await once(server.stdout, 'data'));
  server.kill('SIGSTOP');
  for (let count = 0; count < 2; count++) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
  }
  const votes = open(t, `redis://127.0.0.1:${port}`);
  await t.rejects(votes.add(helm()), { code: 'unavailable', message: /did not answer within 2000 ms$/ });
});

t.test('votes under ever new keys: the youngest are kept, no more', options, async (t) => {
  const { url, port } = await redis(t);
  const votes = redisVotes(url, 100);
  t.teardown(() => votes.close());
  const keys = Array.from({ length: 350 }, (_, index) => `key-${String(index).padStart(3, '0')}`);
  for (const key of keys) await votes.add(helm(key));
  const kept = async () => (await command(port, 'DBSIZE')) as number;
  // The others are the votes and the ordered list of keys.
  t.equal(await kept(), 102);
  t.match(await votes.add(helm(keys[250])), { helm: 350 }, 'the oldest that is kept');
  t.match(await votes.add(helm(keys[249])), { helm: 351 }, 'one that is not');
  t.equal(await kept(), 102);
  t.equal(MAX_KEYS, 1_000_000, 'as in SQLite');
});

t.test('a smaller limit, and keys that have expired: what is too much goes as votes come', options, async (t) => {
  const { url, port } = await redis(t);
  const before = redisVotes(url, 100);
  t.teardown(() => before.close());
  for (let index = 0; index < 40; index++) await before.add(helm(`old-${index + 10}`));
  for (let index = 0; index < 4; index++) await command(port, 'DEL', `{ringmaster}:vote-key:old-${index + 10}`);
  const order = ['ZCARD', '{ringmaster}:vote-keys'] as const;
  t.equal(await command(port, ...order), 40);
  await before.add(helm('new-1'));
  await before.add(helm('new-2'));
  t.equal(await command(port, ...order), 38, 'those that had expired');
  const after = redisVotes(url, 10);
  t.teardown(() => after.close());
  for (let index = 0; index < 40; index++) await after.add(helm(`after-${index}`));
  t.equal(await command(port, ...order), 10);
});

t.test('a key is kept for a day and no longer', options, async (t) => {
  const { url, port } = await redis(t);
  await open(t, url).add(helm('a'));
  for (const name of ['{ringmaster}:vote-key:a', '{ringmaster}:vote-keys']) {
    const seconds = Number(await command(port, 'TTL', name));
    t.ok(seconds > 86_000 && seconds <= 86_400, `${name}: ${seconds} s are left`);
  }
});

t.test('something else under the name of the votes: refused with the reason', options, async (t) => {
  const { url, port } = await redis(t);
  await command(port, 'SET', '{ringmaster}:votes', 'x');
  const votes = open(t, url);
  await t.rejects(votes.add(helm()), { code: 'unavailable', message: /says: .*WRONGTYPE/ });
});

t.test(
  'a server that speaks something else, or nothing whole: refused, and no reply is taken for another',
  async (t) => {
    const sockets: Socket[] = [];
    const answers = ['HTTP/1.1 400 Bad Request\r\n\r\n', '*4\r\n$1\r\n1\r\n', ':1\r\n:2\r\n', ':99\r\n'];
    const server = net.createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write(answers[sockets.length - 1] as string);
        if (sockets.length === 2) socket.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const votes = open(t, `redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await t.rejects(votes.counts(), { message: /sent what is not understood: Unknown RESP type 72/ });
    await t.rejects(votes.counts(), { message: /closed the connection$/ });
    await t.rejects(votes.counts(), { message: /Redis keeps something else/ });
    // A reply that nobody waited for has ended the earlier connection, so this is a new one.
    await t.rejects(votes.counts(), { message: /Redis keeps something else/ });
    t.equal(sockets.length, 4);
  },
);

t.test('a URL that is none of a Redis: refused at once, without what may be a password', async (t) => {
  for (const url of ['', 'localhost', 'http://localhost', 'redis://', 'redis://:secret@h/x', 'redis://h?db=1']) {
    const message = 'VOTES_URL takes redis[s]://[[user]:password@]host[:port][/database]';
    t.throws(() => redisVotes(url), new Error(message), url);
  }
  for (const url of ['redis://localhost', 'rediss://user:p%40ss@[::1]:7000/3']) redisVotes(url).close();
});
