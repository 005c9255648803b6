// What a data plane promises to the control plane, whether it runs in this thread or in several. Uses real clients and
// replicas, and only the port.

import { once } from 'node:events';
import type { Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { pointOf } from '../../lib/core/ring/easing.ts';
import { routeTo, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';
import { givingWay } from './giving-way.ts';
import { keyedRequests } from './keyed.ts';
import { ASK, begun, type CreatePlane, holding } from './plane-stage.ts';

export function planeContract(t: Test, create: CreatePlane): void {
  t.test('requests go by a plan once its publication has resolved', async (t) => {
    const { publish, ask, replica } = await begun(t, create);
    const [first, second] = [await replica('first'), await replica('second')];
    t.match(await ask(), /^HTTP\/1.1 503 .*no replica/s);
    await publish({ routes: [routeTo(1, first)] });
    t.match(await ask(), /first$/);
    await publish({ routes: [routeTo(2, second)] });
    for (let count = 0; count < 8; count++) t.match(await ask(), /second$/);
  });

  t.test('a plan is a value: a clone of it does the same', async (t) => {
    const { plane, planOf, ask, replica } = await begun(t, create);
    const plan = planOf({ routes: [routeTo(1, await replica('first'))] });
    await plane.publish(structuredClone(plan));
    t.match(await ask(), /first$/);
  });

  t.test('of several plans the latest holds, in whatever order they come', async (t) => {
    const { plane, planOf, ask, replica } = await begun(t, create);
    const planTo = async (incarnation: number, name: string) => {
      const route = routeTo(1, await replica(name));
      return planOf({ routes: [{ ...route, replica: { ...route.replica, incarnation } }] });
    };
    const early = await planTo(1, 'first');
    const middle = await planTo(2, 'second');
    const late = await planTo(3, 'third');
    await Promise.all([plane.publish(early), plane.publish(late), plane.publish(middle)]);
    t.match(await ask(), /third$/);
    await plane.publish(middle);
    t.match(await ask(), /third$/);
  });

  t.test('a plan whose hash cannot be loaded is refused, and the one before it holds', async (t) => {
    const { publish, ask, replica } = await begun(t, create);
    await publish({ routes: [routeTo(1, await replica('first'))] });
    await t.rejects(publish({ hash: { path: '/nowhere/at-all.ts' }, routes: [] }));
    t.match(await ask(), /first$/);
    await publish({ routes: [routeTo(2, await replica('second'))] });
    t.match(await ask(), /second$/, 'and the next plan can be had');
  });

  t.test('the settings of traffic come with the plan, and hold for the next request', async (t) => {
    const { publish, ask, replica, settings } = await begun(t, create);
    const routes = [routeTo(1, await replica('first'))];
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n\r\n\r\n';
    await publish({ routes });
    t.match(await ask(post), /first$/);
    await publish({ routes, traffic: settings({ maxBodySizeBytes: 3 }) });
    t.match(await ask(post), /^HTTP\/1.1 413 /);
    await publish({ routes, traffic: settings({ maxBodySizeBytes: 4 }) });
    t.match(await ask(post), /first$/);
  });

  t.test('what goes by a key goes by that of the plan, and is explained by it', async (t) => {
    const { plane, publish, ask, replica, settings } = await begun(t, create);
    const [first, second] = [await replica('first'), await replica('second')];
    const explain = { needsToken: false, token: undefined, refusesProxied: false };
    const traffic = settings({ key: [{ type: 'header', name: 'x-room' }] });
    await publish({ routes: [routeTo(1, first), routeTo(2, second)], explain, traffic });
    for (const room of ['a', 'b', 'c', 'd']) {
      const got = await ask(ASK.replace('Host', `X-Room: ${room}\r\nX-Ringmaster-Explain: 1\r\nHost`));
      const key = Number(/X-Ringmaster-Key: (\d+)/.exec(got)?.[1]);
      const taken = (await plane.explain(key))?.taken;
      t.match(got, taken === 1 ? /server1\r\n.*first$/s : /server2\r\n.*second$/s, room);
      t.equal(await ask(ASK.replace('Host', `X-Room: ${room}\r\nHost`)).then(lastWord), lastWord(got));
    }
    await publish({ routes: [routeTo(1, first)], explain: { ...explain, needsToken: true, token: 'secret' }, traffic });
    t.notMatch(await ask(ASK.replace('Host', 'X-Ringmaster-Explain: 1\r\nHost')), /X-Ringmaster/);
  });

  t.test('an eased replica gets the keys of its share, whatever their slots, and that is explained', async (t) => {
    const { plane, publish, ask, replica, settings } = await begun(t, create);
    const routes = [routeTo(1, await replica('first')), routeTo(2, await replica('second'))];
    const explain = { needsToken: false, token: undefined, refusesProxied: false };
    const traffic = settings({ key: [{ type: 'header', name: 'x-room' }] });
    const [{ replica: one }] = routes as [(typeof routes)[number]];
    await publish({
      ...{ routes, explain, traffic },
      eased: [{ replica: one, share: 1 / 4, why: { type: 'erring', part: 0.5, othersPart: 0 } }],
    });
    let moved = 0;
    for (let room = 0; room < 24; room++) {
      const got = await ask(ASK.replace('Host', `X-Room: ${room}\r\nX-Ringmaster-Explain: 1\r\nHost`));
      t.match(got, /X-Ringmaster-Eased: server1 1\/4 \(fails: 50 %, others 0 %\)\r\n/);
      const key = Number(/X-Ringmaster-Key: (\d+)/.exec(got)?.[1]);
      const isMoved = key % 2 === 0 && pointOf(key) >= 1 / 4;
      moved += isMoved ? 1 : 0;
      t.equal(lastWord(got), key % 2 === 0 && !isMoved ? 'first' : 'second', `${key}`);
      t.match((await plane.explain(key))?.skipped, isMoved ? [{ seat: 1, why: 'eased' }] : []);
    }
    t.ok(moved > 0);
    await publish({ routes, explain, traffic });
    t.notMatch(await ask(ASK.replace('Host', 'X-Room: 1\r\nX-Ringmaster-Explain: 1\r\nHost')), /Eased/);
  });

  t.test('a replica that drains finishes what it has, and then it is told that nothing is left there', async (t) => {
    const { publish, port, news, told } = await begun(t, create);
    const held = await holding(t);
    const route = routeTo(1, tcp(held.port));
    await publish({ routes: [route] });
    const client = await connectRaw(port);
    client.send(ASK);
    const answer = await held.arrived;
    await publish({ routes: [], draining: [route.replica] });
    t.same(
      news.filter(({ type }) => type === 'drained'),
      [],
    );
    answer('late');
    t.match((await client.closed).text, /late$/);
    await told('drained', 1);
  });

  t.test('a replica that never had a request is drained as soon as a plan says that it drains', async (t) => {
    const { publish, told } = await begun(t, create);
    await publish({ draining: [{ seat: 9, incarnation: 9, hostname: 'never' }] });
    await told('drained', 9);
  });

  t.test('what a replica had that is in no list of the plan is tried elsewhere', async (t) => {
    const { publish, port, replica } = await begun(t, create);
    const held = await holding(t);
    await publish({ routes: [routeTo(1, tcp(held.port))] });
    const client = await connectRaw(port);
    client.send(ASK);
    await held.arrived;
    await publish({ routes: [routeTo(2, await replica('second'))] });
    t.match((await client.closed).text, /second$/);
  });

  t.test('a replica that had time to drain and is in no list any more is cut', async (t) => {
    const { publish, port, told } = await begun(t, create);
    const held = await holding(t);
    const route = routeTo(1, tcp(held.port));
    await publish({ routes: [route] });
    const client = await connectRaw(port);
    client.send(ASK);
    await held.arrived;
    await publish({ draining: [route.replica] });
    await publish({});
    t.match((await client.closed).text, /^HTTP\/1.1 50[23] /);
    await told('drained', 1);
  });

  t.test('a replica at which a request failed is suspected', async (t) => {
    const { publish, ask, replica, told } = await begun(t, create);
    await publish({ routes: [routeTo(1, tcp(await freePort())), routeTo(2, await replica('second'))] });
    for (let count = 0; count < 8; count++) t.match(await ask(), /second$/);
    await told('suspected', 1);
  });

  t.test('counters grow from the start on, and reading them changes nothing for another reader', async (t) => {
    const { plane, publish, ask, replica } = await begun(t, create);
    await publish({ routes: [routeTo(1, await replica('first'))] });
    await ask();
    const early = await plane.counters();
    await ask();
    const [one, other] = [await plane.counters(), await plane.counters()];
    t.same(one, other);
    t.equal(early.total.counts.requests, 1);
    t.equal(one.total.counts.requests, 2);
    t.match(one.replicas, [{ seat: 1, incarnation: 1, inFlight: 0, counts: { requests: 2 } }]);
    t.same(structuredClone(one), one);
  });

  t.test('where requests landed is told to each reader from its own last look on', async (t) => {
    const { plane, publish, ask, replica } = await begun(t, create);
    await publish({ routes: [routeTo(1, await replica('first'))] });
    const { last } = await plane.landings(0);
    await ask();
    await ask();
    const [one, other] = [await plane.landings(last), await plane.landings(last)];
    t.same(one.told, other.told);
    t.equal(one.told.length, 2 * 3);
    t.equal((await plane.landings(one.last)).told.length, 0);
  });

  t.test('a port that is taken is an error of the system', async (t) => {
    const { port } = await begun(t, create);
    await t.rejects(create({}).listen({ port, host: '127.0.0.1' }), { code: 'EADDRINUSE' });
  });

  t.test('closing, it takes no more connections and finishes what it has', async (t) => {
    const { plane, publish, port } = await begun(t, create);
    const held = await holding(t);
    await publish({ routes: [routeTo(1, tcp(held.port))] });
    const client = await connectRaw(port);
    client.send(ASK);
    const answer = await held.arrived;
    const closed = plane.close(new AbortController().signal);
    // What is asked after it is answered after it has taken effect, in whatever thread.
    await plane.counters();
    await t.rejects(connectRaw(port));
    answer('late');
    t.match((await client.closed).text, /late$/);
    await closed;
  });

  t.test('closed, it keeps no connection to a replica', async (t) => {
    const { plane, publish, ask } = await begun(t, create);
    const replica = await scriptedReplica((socket) => socket.write(reply('first')));
    t.teardown(() => replica.close());
    await publish({ routes: [routeTo(1, tcp(replica.port))] });
    await ask();
    const closed = Promise.all(replica.sockets.map((socket) => socket.closed || once(socket, 'close')));
    await plane.close(AbortSignal.abort());
    await closed;
    t.ok(replica.sockets.length > 0);
  });

  t.test('what is left when its time to close is over is cut', async (t) => {
    const { plane, publish, port } = await begun(t, create);
    const held = await holding(t);
    await publish({ routes: [routeTo(1, tcp(held.port))] });
    const client = await connectRaw(port);
    client.send(ASK);
    await held.arrived;
    const over = new AbortController();
    const closed = plane.close(over.signal);
    over.abort();
    await Promise.all([client.closed, closed]);
    t.notMatch(client.text, /^HTTP\/1.1 200/);
  });

  keyedRequests(t, create);
  givingWay(t, create);
}

function lastWord(text: string): string {
  return /\w+$/.exec(text)?.[0] ?? '';
}
