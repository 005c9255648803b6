// What the data plane counts, times and tells of, and what it does not do while nobody wants to know.

import t from 'tap';
import { countersSince, latencyOf } from '../../lib/core/traffic/counters.ts';
import { Histogram } from '../../lib/core/traffic/histogram.ts';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { Tally } from '../../lib/core/traffic/traffic.ts';
import { BalancerError } from '../../lib/errors.ts';
import { Meter } from '../../lib/proxy/meter.ts';
import { inOrder, startProxy, tcp } from '../fixtures/proxy.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const agent = { replica: { incarnation: 1, seat: 7 }, inFlight: 0, tally: new Tally(), measures: new SeatMeasures() };
const IDLE = { inFlight: 0, diverted: 0 };
const TIMES = { startedMs: 0, placedMs: 0, askedMs: 0, connectedMs: 0, answeredMs: 0, endedMs: 0 };
const ended = (key = 0) => ({ agent, request: {}, status: 200, times: TIMES, key, error: undefined });
const policy = { ...inOrder(7), slotOf: (key: number) => key };

t.test('where requests land is noted only while somebody looks', async (t) => {
  const meter = new Meter(new Map(), IDLE);
  meter.count(ended(), policy);
  t.same(meter.landings(0), { last: 1, landed: 1, told: [] });
  meter.count(ended(5), policy);
  meter.count({ ...ended(6), error: new BalancerError('connection-lost', '') }, policy);
  t.same(meter.landings(1), { last: 3, landed: 3, told: [5, 7, 200, 6, 7, 0] });
  meter.onTick(0);
  meter.onTick(1100);
  meter.count(ended(), policy);
  t.same(meter.landings(3), { last: 4, landed: 4, told: [] });
});

t.test('of many requests at most 24 are told, and they are spread over all', async (t) => {
  const meter = new Meter(new Map(), IDLE);
  let { last } = meter.landings(0);
  for (const before of [0, 1000, 2000]) {
    for (let key = 0; key < 1000; key++) meter.count(ended(key), policy);
    const { landed, told } = meter.landings(last);
    t.equal(landed, before + 1000);
    const slots = told.filter((_, index) => index % 3 === 0);
    t.ok(slots.length >= 20 && slots.length <= 24);
    t.ok((slots[0] as number) < 50 && (slots.at(-1) as number) > 950, slots.join(' '));
    last = landed;
    meter.onTick(before);
  }
});

t.test('a request is timed until the head of its reply, not its end', async (t) => {
  const meter = new Meter(new Map(), IDLE);
  const startedMs = 1000;
  meter.count({ ...ended(), times: { ...TIMES, startedMs, answeredMs: startedMs + 5 } }, policy);
  const { p50 } = latencyOf(new Histogram(meter.counters().total.times));
  t.ok(Math.abs((p50 as number) / 5000 - 1) < 0.03, `${p50} µs`);
});

t.test('the proxy counts what its clients got', async (t) => {
  const replica = await scriptedReplica((socket, head) => {
    const status = /^GET \/(\d+)/.exec(head)?.[1];
    if (status === undefined) socket.end();
    else socket.write(reply('', '', `${status} So`));
  });
  t.teardown(() => replica.close());
  const { port, proxy, close } = await startProxy([tcp(replica.port)]);
  t.teardown(close);
  for (const path of ['/200', '/404', '/503', '/cut']) {
    await exchangeRaw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  }
  const counters = proxy.meter.counters();
  const { total, replicas } = counters;
  t.same(total.counts, { requests: 4, refused: 1, erred: 1, failed: 1, abandoned: 0 });
  t.match(replicas, [{ seat: 1, incarnation: 1, inFlight: 0, counts: total.counts }]);
  const p50 = latencyOf(new Histogram(total.times)).p50 as number;
  t.ok(p50 > 1 && p50 < 10_000_000);
  t.same(proxy.meter.counters(), counters, 'a look changes nothing');
  t.same(structuredClone(counters), counters);
  const { times } = countersSince(counters, proxy.meter.counters()).total;
  t.equal(latencyOf(new Histogram(times)).p50, undefined, 'times are of the time since the last look');
});
