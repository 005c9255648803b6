// What a change among 1,000 replicas takes, counted: as much as it takes among three.

import t from 'tap';
import type { Route } from '../../lib/core/fleet/fleet-state.ts';
import type { Clock } from '../../lib/core/ports.ts';
import { Rows } from '../../lib/core/request/rows.ts';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { Supervisor } from '../../lib/fleet/supervisor.ts';
import { createLog } from '../../lib/log.ts';
import { supervisorRules, trafficSettings } from '../../lib/parts/limits.ts';
import { proxyLimits } from '../../lib/proxy/proxy-limits.ts';
import { ReplicaAgents } from '../../lib/proxy/replicas/agents.ts';
import { dial } from '../../lib/proxy/replicas/socket.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { FakeRuntime } from '../fixtures/fake-runtime.ts';
import { inOrder, routeTo, tcp, testLedger } from '../fixtures/proxy.ts';
import { settle, VirtualClock } from '../fixtures/virtual-clock.ts';

const MANY = 1000;
const OPTIONS = { ...defaultOptions(), slots: 4 * MANY, maxReplicas: MANY, heartbeatPath: 'off' };

t.test('a plan that has one replica more makes one agent, and leaves the others alone', async (t) => {
  let begun = 0;
  let ended = 0;
  const virtual = new VirtualClock();
  const clock: Clock = {
    now: () => virtual.now(),
    sleep: (ms, signal) => virtual.sleep(ms, signal),
    every: (ms, call) => {
      begun += 1;
      const end = virtual.every(ms, call);
      return () => {
        ended += 1;
        end();
      };
    },
  };
  const load = {
    ledger: testLedger(),
    inFlight: 0,
    idle: 0,
    diverted: 0,
    dial,
    freed: () => undefined,
    measuresOf: () => new SeatMeasures(),
  };
  const drained: number[] = [];
  const limits = proxyLimits(trafficSettings(OPTIONS));
  const agents = new ReplicaAgents(limits, load, new Rows(), clock, (incarnation) => drained.push(incarnation));
  const routes = Array.from({ length: MANY }, (_, index): Route => routeTo(index + 1, tcp(index + 1)));
  const policy = inOrder(...routes.map(({ replica }) => replica.seat));
  agents.route({ routes: routes.slice(1), resting: [], draining: [] }, policy);
  t.same([begun, ended], [MANY - 1, 0]);
  const kept = agents.byIncarnation.get(500);
  agents.route({ routes, resting: [], draining: [] }, policy);
  t.same([begun, ended], [MANY, 0]);
  const [leaving] = routes;
  agents.route({ routes: routes.slice(1), resting: [], draining: [(leaving as Route).replica] }, policy);
  await settle();
  t.same([begun, ended, drained], [MANY, 1, [1]]);
  t.equal(agents.byIncarnation.get(500), kept);
});

t.test('one that joins many takes two plans, one that leaves too, and what is as it was takes none', async (t) => {
  let published = 0;
  let asked = 0;
  const clock = new VirtualClock();
  const log = createLog(
    'off',
    () => undefined,
    () => new Date(0),
  );
  const ports = {
    ...{ runtime: new FakeRuntime(), clock, log },
    probe: async () => {
      asked += 1;
    },
    publish: async () => {
      published += 1;
    },
    drained: async () => undefined,
  };
  const supervisor = new Supervisor(ports, supervisorRules(OPTIONS), { nameSeed: 1, lastIncarnation: 0 });
  const given = (port: number) => ({ hostname: `a${port}`, weight: 1, address: tcp(port) });
  const begun = supervisor.begin(Array.from({ length: MANY - 1 }, (_, index) => given(index + 1)));
  await clock.advance(10);
  await begun;
  t.equal(supervisor.state.seats.filter(({ phase }) => phase === 'serving').length, MANY - 1);
  published = 0;
  asked = 0;
  await clock.advance(20_000);
  t.same([published, asked], [0, 0]);
  await supervisor.add([given(MANY)]);
  t.same([published, asked], [2, 1]);
  const joined = supervisor.state.seats.at(-1)?.replica;
  await supervisor.remove(joined === undefined ? [] : [joined]);
  t.same([published, asked], [4, 1]);
  await supervisor.close();
});
