// Few large uploads among many small requests, with the real program: by bytes the large ones do not pile up.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { weightOf } from '../../lib/core/request/weight.ts';

const LARGE = 2 ** 20;
const SERVICES = 3;
const PATIENT = ['--reply-timeout', '1h', '--request-timeout', '1h'];

interface Stage {
  readonly program: Program;
  /** Sends a request; resolves when a service has all of it. No service answers. */
  send(sizeBytes: number, chunked?: boolean): Promise<void>;
  /** What each service has: the sizes of the bodies. */
  readonly held: readonly number[][];
}

/** The program over services that answer nobody. */
async function stage(t: Test, ...options: string[]): Promise<Stage> {
  const held: number[][] = [];
  let arrived = () => {};
  const servers = Array.from({ length: SERVICES }, (_, number) => {
    held.push([]);
    return http.createServer(async (request) => {
      let sizeBytes = 0;
      for await (const bytes of request) sizeBytes += (bytes as Buffer).length;
      held[number]?.push(sizeBytes);
      arrived();
    });
  });
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`).join(',');
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off', ...PATIENT, ...options]);
  const sent: http.ClientRequest[] = [];
  t.teardown(async () => {
    for (const request of sent) request.destroy();
    await program.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  const send = async (sizeBytes: number, chunked = false) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    arrived = resolve;
    const method = sizeBytes === 0 ? 'GET' : 'POST';
    const headers = { 'x-room': 'one', ...(sizeBytes > 0 && !chunked && { 'content-length': sizeBytes }) };
    const request = http.request(program.url, { agent: false, method, headers });
    request.on('error', reject).on('response', ({ statusCode }) => reject(new Error(`an answer: ${statusCode}`)));
    sent.push(request);
    // What is written before the end goes out without a length, if none was said.
    if (chunked) request.write(Buffer.alloc(1));
    request.end(Buffer.alloc(sizeBytes - (chunked ? 1 : 0)));
    await promise;
  };
  return { program, send, held };
}

const largeOf = (held: readonly number[][]) => held.map((sizes) => sizes.filter((size) => size === LARGE).length);
const weightsOf = (held: readonly number[][]) =>
  held.map((sizes) => sizes.reduce((sum, size) => sum + weightOf(size), 0));

// With a factor of 1.25, the owner of a key takes the 1st, the 3rd, the 5th, the 8th, the 10th and the 13th request.
const AT_OWNER = [1, 3, 5, 8, 10, 13];
const sizeAt = (number: number) => (AT_OWNER.includes(number) ? LARGE : 0);
const ONE_KEY = ['--key', 'header:x-room', '--balance-factor', '1.25', '--balance-floor', '1'];

t.test('by requests, a replica may get all that is large, since each is one request', async (t) => {
  const { send, held } = await stage(t, ...ONE_KEY);
  for (let number = 1; number <= 13; number++) await send(sizeAt(number));
  t.equal(Math.max(...largeOf(held)), 6, `${largeOf(held)}`);
  t.equal(Math.max(...held.map((sizes) => sizes.length)), 6, 'of 13');
});

for (const workers of ['1', '2']) {
  t.test(`--balance-by bytes: the same requests are parted by what they weigh, workers: ${workers}`, async (t) => {
    const { program, send, held } = await stage(t, ...ONE_KEY, '--balance-by', 'bytes', '--workers', workers);
    for (let number = 1; number <= 13; number++) await send(sizeAt(number));
    // 6 large ones of 65 and 7 of 1: a replica with less than 1.25 × 397 / 3 = 165 could take one more of 65.
    t.equal(Math.max(...largeOf(held)), 3, `${largeOf(held)}`);
    const weights = weightsOf(held);
    t.ok(Math.max(...weights) < 165 + 65, `${weights}`);
    const { text } = await program.call('POST', '/balancer/explain', { headers: { 'x-room': 'one' } });
    const explained = JSON.parse(text) as { weights: { replica: string; weight: number; most: number }[] };
    t.same(
      explained.weights.map(({ weight }) => weight).toSorted((one, other) => one - other),
      weights.toSorted((one, other) => one - other),
      'and the receipt tells what weighs where',
    );
    t.same(new Set(explained.weights.map(({ most }) => most)), new Set([Math.ceil((1.25 * 398) / 3)]));
  });
}

t.test('without a key, at no time does a replica have more than its part and one large one', async (t) => {
  const { send, held } = await stage(t, '--balance-by', 'bytes');
  for (let number = 1; number <= 48; number++) {
    // None in chunks: such a body weighs what had come of it, which nobody here can know.
    await send(number % 6 === 0 ? LARGE : number % 3 === 0 ? 1000 : 0);
    const weights = weightsOf(held);
    const total = weights.reduce((sum, weight) => sum + weight);
    t.ok(Math.max(...weights) <= Math.ceil((1.25 * total) / SERVICES) + 65, `${weights}`);
  }
  t.same(
    largeOf(held).reduce((sum, count) => sum + count),
    8,
  );
});

t.test('a body in chunks weighs what has come of it before it is sent on', async (t) => {
  const { program, send } = await stage(t, '--balance-by', 'bytes', '--key', 'header:x-room');
  await send(20 * 1024, true);
  const weights = async () => {
    const { text } = await program.call('POST', '/balancer/explain', { headers: { 'x-room': 'one' } });
    return (JSON.parse(text) as { weights: { weight: number }[] }).weights.map(({ weight }) => weight);
  };
  t.same(await weights(), [3, 0, 0], 'all of a small one');
  await send(LARGE, true);
  const [first = 0] = await weights();
  t.ok(first >= 3 + 5 && first < 3 + 65, `of a large one the 64 KiB that are kept, or what came with them: ${first}`);
});

t.test('without --balance-by bytes nothing is told of weights', async (t) => {
  const { program } = await stage(t, '--key', 'header:x-room');
  const { text } = await program.call('POST', '/balancer/explain', { headers: { 'x-room': 'one' } });
  t.notOk('weights' in JSON.parse(text));
});
