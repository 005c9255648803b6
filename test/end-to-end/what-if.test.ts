// `npm run what-if` on logs of the real program, and on logs of others.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { LruCache } from '../fixtures/lru-cache.ts';
import { scriptedReplica } from '../fixtures/scripted-replica.ts';
import { directory, NONE, told, whatIf } from '../fixtures/what-if.ts';

t.setTimeout(590_000);

interface Line {
  readonly target: string;
  readonly time: string;
  readonly key: number | null;
  readonly seat: number | null;
  readonly bytesOut: number;
}

async function linesOf(file: string, count: number): Promise<Line[]> {
  for (;;) {
    const lines = (await readFile(file, 'latin1').catch(() => '')).split('\n').slice(0, -1);
    if (lines.length >= count) return lines.map((line) => JSON.parse(line) as Line);
    await sleep(20);
  }
}

t.test('its owners are those of the real program to the request, across /add and /rm', async (t) => {
  const file = join(await directory(t), 'access.log');
  const program = await startProgram([
    '--key',
    'path:2',
    '--access-log',
    'all',
    '--access-log-file',
    file,
    '--replicas',
    '3',
  ]);
  t.teardown(() => program.stop());
  const nextSecond = async () => {
    await sleep(1100 - (Date.now() % 1000));
    return new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
  };
  let asked = 0;
  const ask = async (count: number) => {
    for (let at = 0; at < count; at += 10) {
      const paths = Array.from(
        { length: 10 },
        (_, index) => `/api/${Math.floor(1.012 ** (((at + index) * 769) % 420))}/x`,
      );
      await Promise.all(paths.map(async (path) => (await fetch(program.url + path)).text()));
    }
    asked += count;
  };
  await ask(150);
  await sleep(1100);
  t.equal((await program.call('POST', '/add', { n: 2, hostnames: ['other', 'another'] })).status, 200);
  const added = await nextSecond();
  await ask(150);
  await sleep(1100);
  t.equal((await program.call('DELETE', '/rm', { n: 1, hostnames: ['server2'] })).status, 200);
  const removed = await nextSecond();
  await ask(150);
  const lines = (await linesOf(file, asked + 2)).filter(({ seat }) => seat !== null);
  t.equal(lines.length, asked);

  const changes = ['--change', `${added}=5`, '--change', `${removed}=1,3-5`];
  const words = [file, '--key', 'path:2', '--now', '3', ...changes, ...NONE];
  const { agreement, situations, lines: counts, moved, notes } = await told(t, words);
  t.same(agreement, { told: asked, same: asked });
  t.same(counts, { lines: asked + 2, empty: 0, broken: 0, own: 2, withoutDuration: 0, hiddenCookies: 0 });
  t.same(notes, []);
  t.same(
    moved.map(({ from, to }) => `${from} to ${to}`),
    ['1-3 to 1-5', '1-5 to 1,3-5', '1,3-5 to 1-3'],
  );
  for (const { seat, requests } of situations[0]?.seats ?? []) {
    t.equal(requests, lines.filter((line) => line.seat === seat).length, `seat ${seat}`);
  }
  const withoutKey = await told(t, [file, '--now', '3', ...changes, ...NONE]);
  t.same(withoutKey.agreement, agreement, 'the key that was logged is the same');
  const elsewhere = await told(t, [file, '--now', '4', ...NONE]);
  t.ok(elsewhere.agreement.same < asked, 'and another fleet would have had them elsewhere');

  const cookie = await whatIf([file, '--key', 'cookie:s', '--now', '3', ...changes, ...NONE]);
  t.match(cookie.out, /note: cookie:s is not in a ringmaster log, .*that is used/);
  t.match(cookie.out, new RegExp(`of ${asked} whose replica the log tells, 100.0 % are where`));
});

t.test('its hits are those of a real cache behind each replica', async (t) => {
  const file = join(await directory(t), 'access.log');
  const caches = [0, 1, 2].map(() => ({ cache: new LruCache(6000), had: 0, asked: 0 }));
  const replicas = await Promise.all(
    caches.map((one) =>
      scriptedReplica((socket, head) => {
        const [, path = ''] = head.split(' ');
        const number = Number(path.slice('/item/'.length));
        one.asked += 1;
        if (one.cache.use(number, 100)) one.had += 1;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`);
      }),
    ),
  );
  const upstream = replicas.map((one) => one.upstream).join(',');
  const own = ['--upstream', upstream, '--heartbeat-path', 'off', '--access-log', 'all', '--access-log-file', file];
  const program = await startProgram([...own, '--key', 'path', '--balance-factor', 'off']);
  t.teardown(async () => {
    await program.stop();
    for (const one of replicas) await one.close();
  });
  // Zipf: the path of rank r comes 1 / r times as often as the first one.
  for (let at = 0; at < 1200; at++) {
    const rank = Math.floor(Math.exp(((at * 0.6180339887) % 1) * Math.log(1000)));
    await (await fetch(`${program.url}/item/${rank}`)).text();
  }
  await linesOf(file, 1200);
  const { agreement, situations } = await told(t, [file, '--key', 'path', '--now', '3', '--cache', '6000', ...NONE]);
  t.same(agreement, { told: 1200, same: 1200 });
  for (const { seat, requests, hits } of situations[0]?.seats ?? []) {
    const { asked, had } = caches[seat - 1] as (typeof caches)[number];
    t.equal(requests, asked);
    t.ok(had > 0 && had < asked);
    t.ok(
      Math.abs((hits[0]?.ratio as number) - had / asked) < 0.01,
      `${hits[0]?.ratio} predicted, ${had / asked} measured`,
    );
  }
});
