// What a data plane promises of requests with a key.

import type { Test } from 'tap';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { routeTo, tcp } from '../fixtures/proxy.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';
import { ASK, begun, type CreatePlane } from './plane-stage.ts';

export function keyedRequests(t: Test, create: CreatePlane): void {
  t.test(
    'whoever has set a cookie that is learned keeps its client, whichever thread has the connection',
    async (t) => {
      const { plane, publish, ask, settings } = await begun(t, create);
      const names = ['first', 'second', 'third'];
      const made = names.map(async (name) => {
        const started = await scriptedReplica((socket, head) => {
          const count = /^GET \/begin\/(\d+)/.exec(head)?.[1];
          socket.write(reply(name, count === undefined ? '' : `Set-Cookie: sid=${count}-${name}; Path=/\r\n`));
        });
        t.teardown(() => started.close());
        return tcp(started.port);
      });
      const routes = (await Promise.all(made)).map((address, index) => routeTo(index + 1, address));
      const key = [{ type: 'learn', name: 'sid' } as const, { type: 'path' } as const];
      await publish({ routes, traffic: settings({ key }) });
      const seen = new Set<string>();
      let elsewhere = 0;
      for (let session = 0; session < 20; session++) {
        const begun = await ask(ASK.replace('/', `/begin/${session}`));
        const sid = /\r\nSet-Cookie: sid=([^;]+)/.exec(begun)?.[1] ?? '';
        const own = lastWord(begun);
        seen.add(own);
        const fields = `Cookie: a=b; sid=${sid}\r\nHost`;
        for (let count = 0; count < 4; count++) t.equal(lastWord(await ask(ASK.replace('Host', fields))), own, sid);
        const learned = await plane.explain(0, sid);
        t.equal(names[(learned?.taken ?? 0) - 1], own);
        t.equal(learned?.order[0], learned?.taken);
        if ((await plane.explain(hashText(sid)))?.taken !== learned?.taken) elsewhere += 1;
        const hot = (await plane.hotKeys()).keys.find((one) => one.key === hashText(sid));
        t.match(hot, { count: 4, home: learned?.taken, owner: (await plane.explain(hashText(sid)))?.order[0] });
      }
      t.equal(seen.size, 3);
      t.ok(elsewhere > 0, `the ring has ${elsewhere} of 20 elsewhere`);
      // A cookie that nobody here has set goes by the ring.
      const ring = (await plane.explain(hashText('foreign')))?.taken;
      const got = await ask(ASK.replace('Host', 'Cookie: sid=foreign\r\nHost'));
      t.equal(lastWord(got), names[(ring ?? 0) - 1]);
    },
  );

  t.test('it tells which keys come most often, and whose they are', async (t) => {
    const { plane, publish, ask, replica, settings } = await begun(t, create);
    const traffic = settings({ key: [{ type: 'header', name: 'x-room' }] });
    await publish({ routes: [routeTo(1, await replica('first')), routeTo(2, await replica('second'))], traffic });
    const came = { lobby: 6, kitchen: 3, attic: 1 };
    for (const [room, times] of Object.entries(came)) {
      for (let count = 0; count < times; count++) await ask(ASK.replace('Host', `X-Room: ${room}\r\nHost`));
    }
    await ask();
    const { total, keys } = await plane.hotKeys();
    t.equal(total, 10, 'requests without a key are not counted');
    t.same(
      keys.map(({ key, count, error }) => ({ key, count, error })),
      Object.entries(came).map(([room, count]) => ({ key: hashText(room), count, error: 0 })),
    );
    for (const { key, slot, owner } of keys) {
      const explanation = await plane.explain(key);
      t.same({ slot, owner }, { slot: explanation?.slot, owner: explanation?.order[0] });
    }
  });
}

function lastWord(text: string): string {
  return /\w+$/.exec(text)?.[0] ?? '';
}
