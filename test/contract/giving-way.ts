// What a data plane promises when another one, of another process, takes its place.

import { fstatSync } from 'node:fs';
import type { Test } from 'tap';
import { routeTo, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { ASK, begun, type CreatePlane, holding } from './plane-stage.ts';

const KEPT = ASK.replace('Connection: close\r\n', '');

export function givingWay(t: Test, create: CreatePlane): void {
  t.test('giving way, it ends each connection with its next reply, silent ones too', async (t) => {
    const { plane, publish, port, replica } = await begun(t, create);
    await publish({ routes: [routeTo(1, await replica('first'))] });
    const [kept, silent] = [await connectRaw(port), await connectRaw(port)];
    kept.send(KEPT);
    await kept.until(/first$/);
    t.equal(plane.connections(), 2);
    const gaveWay = plane.giveWay(new AbortController().signal);
    await plane.counters();
    await t.rejects(connectRaw(port), 'nobody else has the sockets here');
    for (const client of [kept, silent]) client.send(KEPT);
    const replies = await Promise.all([kept.closed, silent.closed]);
    for (const { text, reset } of replies) {
      t.match(text, /Connection: close\r\n.*first$/s);
      t.notOk(reset);
    }
    t.equal(await gaveWay, 0);
  });

  t.test('what is under way when its time to give way is over is cut and counted; what is idle ends', async (t) => {
    const { plane, publish, port } = await begun(t, create);
    const held = await holding(t);
    await publish({ routes: [routeTo(1, tcp(held.port))] });
    const [client, idle] = [await connectRaw(port), await connectRaw(port)];
    client.send(ASK);
    await held.arrived;
    const over = new AbortController();
    const gaveWay = plane.giveWay(over.signal);
    over.abort();
    t.equal(await gaveWay, 1);
    await client.closed;
    t.same(await idle.closed, { text: '', reset: false });
  });

  t.test('it hands over descriptors of all sockets that listen, and how far the ids are', async (t) => {
    const { plane, publish, ask, replica } = await begun(t, create);
    await publish({ routes: [routeTo(1, await replica('first'))] });
    await ask();
    const { descriptors, ids } = await plane.handover();
    t.equal(new Set(descriptors).size, descriptors.length);
    for (const fd of descriptors) t.ok(fstatSync(fd).isSocket());
    t.same([ids.dealt, ids.seed], [1, 0]);
    await t.rejects(create({}).handover(), 'one that does not listen has none');
  });
}
