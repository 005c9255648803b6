// What a program may give as options, and what is refused.

import { inspect } from 'node:util';
import t from 'tap';
import type { BalancerOptions } from '../../lib/library/options.ts';
import { createBalancer, defaults, OptionError } from '../../lib/ringmaster.ts';
import { givenOptions } from '../../lib/settings/given.ts';
import { parseOptions } from '../../lib/settings/options.ts';

const given = (options: BalancerOptions) => givenOptions(options as Record<string, unknown>).options;

t.test('without any, and with the defaults, all are what the command has, but that nothing is said', async (t) => {
  const expected = { ...parseOptions([], {}), log: 'off', replicaOutput: 'off' };
  t.strictSame(given({}), expected);
  // Which file to read is for the command line.
  const { config: _, ...ofPrograms } = expected;
  t.strictSame({ ...defaults }, ofPrograms);
  t.strictSame(given({ ...defaults, log: defaults.log }), expected);
  t.strictSame(given({ port: undefined, log: undefined }), expected);
});

t.test('values, with their units in the key', async (t) => {
  const values = {
    port: 0,
    replyTimeoutMs: 2000,
    replicaMemoryBytes: 2 ** 30,
    via: false,
    maxBodySizeBytes: Number.POSITIVE_INFINITY,
    retryBudget: 1 / 3,
    adminSocketMode: 0o660,
    command: ['node', 'app.js', ''],
  };
  t.match(given(values), { ...values, replicaListen: 'port' });
});

t.test('texts as on the command line, lists of them, and names with their values', async (t) => {
  const line = (...words: string[]) => parseOptions(words, {});
  const upstream = line('--upstream', 'a:1,b:2*3').upstream;
  for (const form of ['a:1,b:2*3', ['a:1', 'b:2*3'], upstream])
    t.strictSame(given({ upstream: form }).upstream, upstream);
  const key = line('--key', 'cookie:s,client').key;
  for (const form of ['cookie:s,client', ['cookie:s', 'client']]) t.strictSame(given({ key: form }).key, key);
  for (const form of [
    '200-399,404',
    ['200-399', '404'],
    [
      [200, 399],
      [404, 404],
    ] as const,
  ]) {
    t.strictSame(
      given({ heartbeatStatus: form }).heartbeatStatus,
      line('--heartbeat-status', '200-399,404').heartbeatStatus,
    );
  }
  t.strictSame(given({ trustProxy: ['loopback', '10.0.0.0/8'] }).trustProxy, ['loopback', '10.0.0.0/8']);
  t.strictSame(given({ trustProxy: [] }).trustProxy, []);
  const replicaEnv = new Map([
    ['A', '1'],
    ['B', 'x\ny,z='],
  ]);
  for (const form of [replicaEnv, Object.fromEntries(replicaEnv), ['A=1', 'B=x\ny,z=']]) {
    t.strictSame(given({ replicaEnv: form }).replicaEnv, replicaEnv);
  }
  t.strictSame([...given({ replicaEnv: 'A=1\nB=2' }).replicaEnv.keys()], ['A', 'B']);
  t.strictSame(given({ replicaEnv: {} }).replicaEnv, new Map());
  t.strictSame(
    given({ port: '5001', replyTimeoutMs: '2s', via: 'off' }),
    given({ port: 5001, replyTimeoutMs: 2000, via: false }),
  );
});

const REFUSED: [unknown, string | RegExp][] = [
  [null, 'options are an object, as { port: 0, replicas: 3 }'],
  [5, /^options are an object/],
  [[], /^options are an object/],
  [{ prot: 1 }, 'unknown option prot: did you mean port?'],
  [{ replyTimeout: 1 }, 'unknown option replyTimeout: did you mean replyTimeoutMs?'],
  [{ somethingElse: 1 }, 'unknown option somethingElse'],
  [{ port: 70_000 }, 'port takes a whole number from 0 to 65535, not 70000'],
  [{ port: 1.5 }, /^port takes/],
  [{ port: Number.NaN }, /^port takes/],
  [{ port: null }, 'port takes a whole number from 0 to 65535, not null'],
  [{ host: 5 }, 'host takes an address or hostname, not 5'],
  [{ replyTimeoutMs: -1 }, 'replyTimeoutMs takes a time from 1ms to 24h, not -1'],
  [{ via: 1 }, 'via takes on or off, not 1'],
  [{ trustProxy: true }, /^trustProxy takes/],
  [{ adminToken: 's3cret\n' }, 'adminToken takes visible characters of ASCII, not that'],
  [{ command: 'node app.js' }, "command takes a list of words, as ['node', 'app.js'], not 'node app.js'"],
  [{ command: [''] }, /^command takes/],
  [{ replicaEnv: { A: 1 } }, 'replicaEnv takes a list of NAME=VALUE, or an object with a text for each name, not that'],
  [{ replicaEnv: { PORT: '1' } }, 'replicaEnv cannot set PORT: each replica gets its own'],
  [{ key: 'nothing' }, /^key takes/],
  [{ hash: 'own' }, /^hash takes/],
  [{ hash: './not-there.ts' }, /^hash \.\/not-there\.ts cannot be loaded/],
  [{ hash: { requestSlot: () => 1 } }, 'hash is not a hash pair: it does not export a function virtualNodeSlot'],
  [{ hash: { requestSlot: () => 0.5, virtualNodeSlot: () => 1 } }, /^hash is not a hash pair: requestSlot\(/],
  [{ log: 'loud' }, "log takes off, error, warn, info or debug, not 'loud'"],
  [{ log: null }, 'log takes a level, a function, or both as { level, write }'],
  [{ log: { level: 'loud', write: () => undefined } }, /^log takes off, error/],
  [{ replicas: 3, slots: 2 }, 'replicas takes at most slots, which is 2, not 3'],
  [{ port: 5001, adminPort: 5001 }, 'adminPort takes another port than port, which is 5001'],
  [{ workers: 2, key: () => 'a' }, /^workers takes 1, not 2, with a key or a hash that is a function/],
  [{ workers: 2, hash: { requestSlot: () => 1, virtualNodeSlot: () => 1 } }, /^workers takes 1, not 2/],
];

for (const [options, message] of REFUSED) {
  t.test(`refused: ${inspect(options)}`, async (t) => {
    const error = await createBalancer(options as BalancerOptions).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    t.ok(error instanceof OptionError, String(error));
    const text = (error as Error).message;
    if (typeof message === 'string') t.equal(text, message);
    else t.match(text, message);
  });
}
