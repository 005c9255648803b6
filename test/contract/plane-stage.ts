// A data plane that has begun, as its contract plays on it, and replicas for it.

import type { Test } from 'tap';
import type { DataPlane, PlaneNews } from '../../lib/core/plane-ports.ts';
import { HashRing } from '../../lib/core/ring/ring.ts';
import { planned, type RoutingPlan } from '../../lib/core/routing-plan.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { defaultOptions, type Options } from '../../lib/settings/options.ts';
import { tcp } from '../fixtures/proxy.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

/** Makes a plane that has not begun. */
export type CreatePlane = (options: Partial<Options>) => DataPlane;

export const ASK = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const SLOTS = 64;

export async function begun(t: Test, create: CreatePlane) {
  const plane = create({});
  t.teardown(() => plane.close(AbortSignal.abort()));
  const news: PlaneNews[] = [];
  let heard = () => {};
  plane.watch((one) => {
    news.push(one);
    heard();
  });
  let version = 0;
  const settings = (options: Partial<Options>) => trafficSettings({ ...defaultOptions(), ...options });
  const planOf = (plan: Partial<RoutingPlan>): RoutingPlan => {
    version += 1;
    const routes = plan.routes ?? [];
    return {
      hash: { name: 'modulo' },
      slots: SLOTS,
      virtualNodes: 1,
      ring: planned(ringOf(routes.map(({ replica }) => replica.seat)), version),
      routes,
      draining: [],
      resting: [],
      outage: { whyNone: undefined, mayEnd: false },
      hostnames: new Map(routes.map(({ replica }) => [replica.seat, replica.hostname])),
      explain: { needsToken: true, token: undefined, refusesProxied: true },
      traffic: settings({}),
      ...plan,
      version,
    };
  };
  const publish = (plan: Partial<RoutingPlan>) => plane.publish(planOf(plan));
  await publish({});
  const port = await plane.listen({ port: 0, host: '127.0.0.1' });
  return {
    plane,
    port,
    news,
    planOf,
    publish,
    settings,
    ask: (text = ASK) => exchangeRaw(port, text),
    replica: async (name: string) => {
      const started = await scriptedReplica((socket) => socket.write(reply(name)));
      t.teardown(() => started.close());
      return tcp(started.port);
    },
    told: async (type: PlaneNews['type'], incarnation: number) => {
      while (!news.some((one) => one.type === type && one.incarnation === incarnation)) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    },
  };
}

/** A replica that answers its first request only when it is told to. */
export async function holding(t: Test) {
  let arrive: (answer: (body: string) => void) => void;
  const arrived = new Promise<(body: string) => void>((resolve) => {
    arrive = resolve;
  });
  const started = await scriptedReplica((socket) => arrive((body) => socket.write(reply(body))));
  t.teardown(() => started.close());
  return { port: started.port, arrived };
}

// A ring with one slot for each of the seats, in turn.
function ringOf(seats: readonly number[]): HashRing {
  const length = seats.length === 0 ? 0 : SLOTS;
  const points = Array.from({ length }, (_, slot) => ({ slot, seat: seats[slot % seats.length] as number }));
  return new HashRing(points, SLOTS);
}
