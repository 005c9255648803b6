// What a data plane promises about requests that kill replicas: the test is the control plane, which learns that a
// replica has ended a little later than the data plane that its connection broke.

import type { Test } from 'tap';
import type { RoutingPlan } from '../../lib/core/routing-plan.ts';
import { eventually } from '../fixtures/eventually.ts';
import { routeTo, tcp } from '../fixtures/proxy.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';
import { ASK, begun, type CreatePlane } from './plane-stage.ts';

const askFor = (target: string, method = 'GET', body = '') =>
  `${ASK.replace('GET / ', `${method} ${target} `).slice(0, -2)}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Replicas that end when they are asked for what kills, each once. Those that ended are told with the next plan. */
async function mortals(t: Test, create: CreatePlane, count: number, kills: RegExp) {
  const stage = await begun(t, create);
  const dead: number[] = [];
  const all = new Map<number, RoutingPlan['routes'][number]>();
  const publish = () => {
    const routes = [...all.values()].filter(({ replica }) => !dead.includes(replica.incarnation));
    return stage.publish({ routes, ended: [...dead] });
  };
  for (let seat = 1; seat <= count; seat++) {
    const started = await scriptedReplica((socket, head) => {
      if (!kills.test(head)) {
        socket.write(reply(`from ${seat}`));
        return;
      }
      dead.push(seat);
      void started.close();
      setImmediate(() => void publish());
    });
    t.teardown(() => started.close().catch(() => undefined));
    all.set(seat, routeTo(seat, tcp(started.port)));
  }
  await publish();
  return { ...stage, dead };
}

export function poisonContract(t: Test, create: CreatePlane): void {
  t.test('a request that kills who gets it is not sent to a third replica, however often it is asked', async (t) => {
    for (const [method, body] of [
      ['GET', ''],
      ['POST', 'eat this'],
    ] as const) {
      const { plane, ask, dead } = await mortals(t, create, 5, /\/poison/);
      let answer = '';
      for (let count = 0; count < 30; count++) {
        answer = await ask(askFor('/poison?secret=1', method, body));
        t.match(await ask(askFor('/other', method, body)), /^HTTP\/1.1 200 .*from \d$/s);
      }
      t.equal(dead.length, 2, method);
      t.match(answer, /^HTTP\/1.1 503 .*Retry-After: ([1-5]?\d|60)\r\n.*two replicas that ended/s);
      t.match(plane.poison, { suspects: 0, quarantined: [{ request: `${method} /poison?...`, replicas: 2 }] });
      t.equal(plane.poison.replicasLost, 2);
    }
  });

  t.test('what was beside it is tried again, and nothing of it fails', async (t) => {
    const { ask, dead, plane } = await mortals(t, create, 5, /\/poison/);
    const asked = Array.from({ length: 40 }, (_, index) => ask(askFor(index === 20 ? '/poison' : `/item/${index}`)));
    const answers = await Promise.all(asked);
    const lost = answers.filter((text) => !text.startsWith('HTTP/1.1 200'));
    t.equal(lost.length, 1);
    t.match(lost[0], /two replicas that ended/);
    t.equal(dead.length, 2);
    t.equal(plane.poison.quarantined.length, 1);
  });

  t.test('one that is asked by several at once is found out as well', async (t) => {
    const [replicas, clients] = [8, 3];
    const { ask, dead } = await mortals(t, create, replicas, /\/poison/);
    const askAgain = async () => {
      for (let count = 0; count < 10; count++) t.match(await ask(askFor('/poison')), /^HTTP\/1.1 50[23] /);
    };
    await Promise.all(Array.from({ length: clients }, askAgain));
    t.ok(dead.length <= clients + 1, `${dead.length} replicas are lost`);
  });

  t.test('a request that is answered elsewhere killed nobody, however many replicas end that have it', async (t) => {
    const { publish, ask, replica, plane } = await begun(t, create);
    const last = routeTo(9, await replica('last'));
    const ended: number[] = [];
    for (let seat = 1; seat <= 6; seat++) {
      const started = await scriptedReplica((socket) => {
        socket.resetAndDestroy();
        void started.close();
        ended.push(seat);
        setImmediate(() => void publish({ routes: [last], ended: [...ended] }));
      });
      t.teardown(() => started.close().catch(() => undefined));
      await publish({ routes: [routeTo(seat, tcp(started.port)), last], ended: [...ended] });
      while (!ended.includes(seat)) t.match(await ask(), /last$/);
    }
    t.match(await ask(), /last$/);
    t.same(plane.poison.quarantined, []);
  });

  t.test('replicas that end at once make nobody a suspect who finds the second one dead', async (t) => {
    const { publish, ask, replica, plane } = await begun(t, create);
    // As a dead one looks before its end is known: a kept connection breaks when it is used, and none is taken.
    const dying = await Promise.all(
      [1, 2].map(async (seat) => {
        const started = await scriptedReplica((socket, head) => {
          if (/last/.test(head)) socket.resetAndDestroy();
          else socket.write(reply(`from ${seat}`));
        });
        t.teardown(() => started.close().catch(() => undefined));
        return { started, route: routeTo(seat, tcp(started.port)) };
      }),
    );
    await publish({ routes: dying.map(({ route }) => route), outage: { whyNone: undefined, mayEnd: true } });
    await Promise.all(Array.from({ length: 40 }, () => ask()));
    for (const { started } of dying) started.refuse();
    const last = ask(askFor('/last'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await publish({ routes: [routeTo(3, await replica('third'))], ended: [1, 2] });
    t.match(await last, /third$/);
    t.match(await ask(askFor('/last')), /third$/);
    t.same(plane.poison.quarantined, []);
  });

  t.test('a connection that breaks is no death: the request goes on, and nothing is refused', async (t) => {
    const { publish, ask, replica, plane } = await begun(t, create);
    let resets = 0;
    const resetting = await scriptedReplica((socket) => {
      resets += 1;
      socket.resetAndDestroy();
    });
    t.teardown(() => resetting.close());
    await publish({ routes: [routeTo(1, tcp(resetting.port)), routeTo(2, await replica('second'))] });
    for (let count = 0; count < 8; count++) t.match(await ask(), /second$/);
    t.ok(resets > 0);
    t.same(plane.poison.quarantined, []);
  });

  t.test('with a quarantine of 0 nothing is noted, and one that is lifted may be sent again', async (t) => {
    const { publish, ask, replica, plane, settings } = await begun(t, create);
    const routes = [routeTo(3, await replica('third'))];
    const dying = async (seat: number) => {
      const started = await scriptedReplica((socket) => {
        socket.resetAndDestroy();
        void started.close();
      });
      t.teardown(() => started.close().catch(() => undefined));
      return routeTo(seat, tcp(started.port));
    };
    const off = settings({ quarantineMs: 0 });
    await publish({ routes: [await dying(1), await dying(2)], traffic: off });
    t.match(await ask(), /^HTTP\/1.1 50[23] /);
    await publish({ routes, ended: [1, 2], traffic: off });
    t.match(await ask(), /third$/);
    t.equal(plane.poison.suspects, 0);
    await publish({ routes: [await dying(4), await dying(5)], ended: [1, 2] });
    t.match(await ask(), /^HTTP\/1.1 50[23] /);
    await publish({ routes, ended: [1, 2, 4, 5] });
    await eventually('it is quarantined', () => plane.poison.quarantined.length === 1);
    t.match(await ask(), /two replicas that ended/);
    await publish({ routes, ended: [1, 2, 4, 5], traffic: off });
    await eventually('it is lifted', () => plane.poison.quarantined.length === 0);
    t.match(await ask(), /third$/);
  });
}
