// Peers that are compared: a difference that lasts is told once, and one that passes is not.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { Digest } from '../../lib/core/members/agreement.ts';
import { askPeer } from '../../lib/fleet/peers/ask.ts';
import { PeerWatch } from '../../lib/fleet/peers/peer-watch.ts';
import { createLog } from '../../lib/log.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const A: Digest = { ring: 'a'.repeat(16), options: { slots: '512' } };
const B: Digest = { ring: 'b'.repeat(16), options: { slots: '512' } };
const URLS = ['http://one:1', 'http://two:2'] as const;

function played() {
  const clock = new VirtualClock();
  const entries: Record<string, unknown>[] = [];
  const log = createLog(
    'info',
    (line) => entries.push(JSON.parse(line)),
    () => new Date(0),
  );
  const answers = new Map<string, Digest | Error | 'none'>(URLS.map((url) => [url, A]));
  const asked: string[] = [];
  const ask = (url: string) => {
    asked.push(url);
    const answer = answers.get(url);
    if (answer === 'none') return new Promise<Digest>(() => undefined);
    return answer instanceof Error || answer === undefined ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const watch = new PeerWatch({ clock, log, ask, own: () => A });
  watch.use(URLS);
  watch.begin();
  return { clock, watch, answers, asked, told: () => entries.map(({ event, peer }) => `${event} ${peer}`), entries };
}

t.test('a difference of a moment is not told; one that lasts is, once, and its end', async (t) => {
  const { clock, watch, answers, told, entries } = played();
  await clock.advance(3000);
  answers.set(URLS[1], B);
  await clock.advance(4000);
  answers.set(URLS[1], A);
  await clock.advance(4000);
  t.same(told(), []);
  answers.set(URLS[1], B);
  await clock.advance(20_000);
  t.same(told(), ['peer-differs http://two:2']);
  t.match(entries[0], { level: 'error', differs: [/its ring has the digest b{16}, and this one a{16}/] });
  t.match(watch.peers, [
    { url: URLS[0], isReachable: true, differs: { length: 0 } },
    { url: URLS[1], isReachable: true, differs: { length: 1 } },
  ]);
  answers.set(URLS[1], A);
  await clock.advance(1000);
  t.same(told().slice(1), ['peer-agrees http://two:2']);
  t.same(watch.peers[1]?.differs, []);
});

t.test('one that does not answer is told after the third time, and asked again', async (t) => {
  const { clock, watch, answers, told, asked, entries } = played();
  answers.set(URLS[0], new Error('ECONNREFUSED'));
  answers.set(URLS[1], 'none');
  await clock.advance(2500);
  t.same(told(), []);
  await clock.advance(10_000);
  t.same(told().sort(), ['peer-lost http://one:1', 'peer-lost http://two:2']);
  t.match(
    entries.map(({ reason }) => reason),
    ['ECONNREFUSED', 'no answer within 2000 ms'],
  );
  t.same(
    watch.peers.map(({ isReachable }) => isReachable),
    [false, false],
  );
  const times = asked.filter((url) => url === URLS[1]).length;
  t.ok(times <= 7, `${times}: not again while it is asked`);
  answers.set(URLS[0], A);
  await clock.advance(1000);
  t.same(told().slice(2), ['peer-found http://one:1']);
});

t.test('other peers: who stays is as it was, who goes is asked no more', async (t) => {
  const { clock, watch, answers, asked, told } = played();
  answers.set(URLS[0], B);
  await clock.advance(10_000);
  watch.use([URLS[0], 'http://three:3']);
  t.equal(watch.peers[0]?.differs.length, 1);
  asked.length = 0;
  await clock.advance(1000);
  t.same(asked.sort(), [URLS[0], 'http://three:3']);
  answers.set(URLS[0], 'none');
  await clock.advance(1000);
  watch.use([]);
  await clock.advance(10_000);
  t.same(told(), ['peer-differs http://one:1'], 'also if it is asked just then');
  watch.use(URLS);
  watch.close();
  asked.length = 0;
  await clock.advance(10_000);
  t.same(asked, []);
});

t.test('a peer is asked over HTTP, and may answer anything', async (t) => {
  let answer = { status: 200, text: JSON.stringify(A) };
  const authorizations: unknown[] = [];
  const server = http.createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    response.writeHead(request.url === '/balancer/digest' ? answer.status : 404).end(answer.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = () => askPeer(url, new AbortController().signal);
  t.same(await ask(), A);
  answer = { status: 200, text: 'hello' };
  await t.rejects(ask(), { message: 'it answers 200 to /balancer/digest, and no digest' });
  answer = { status: 404, text: JSON.stringify(A) };
  await t.rejects(ask(), { message: 'it answers 404 to /balancer/digest, and no digest' });
  answer = { status: 200, text: 'x'.repeat(1_000_000) };
  await t.rejects(ask(), { message: 'it answers more than 65536 bytes' });
  await t.rejects(askPeer(url, AbortSignal.abort()), { name: 'AbortError' });
  t.same(new Set(authorizations), new Set([undefined]), 'no secret is sent');
});
