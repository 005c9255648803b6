// What-if places requests as the routing table does, held against the table itself with random loads.

import t from 'tap';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { placeOf, SeatLoads } from '../../lib/core/what-if/placing.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { proxyLimits } from '../../lib/proxy/proxy-limits.ts';
import { ReplicaAgent } from '../../lib/proxy/replicas/agent.ts';
import { type Load, RoutingTable } from '../../lib/proxy/replicas/routing-table.ts';
import { dial } from '../../lib/proxy/replicas/socket.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { inOrder, routeTo, tcp, testLedger } from '../fixtures/proxy.ts';
import { random, runSeed } from '../fixtures/random.ts';

t.test('a request goes where the routing table would send it', async (t) => {
  const { below } = random(runSeed());
  for (let trial = 0; trial < 300; trial++) {
    const seats = Array.from({ length: 1 + below(6) }, (_, index) => index + 1);
    const [factor, floor] = [[1, 1.25, 2, Number.POSITIVE_INFINITY][below(4)] as number, 1 + below(8)];
    const limits = { ...proxyLimits(trafficSettings(defaultOptions())), balanceFactor: factor, balanceFloor: floor };
    const measures = new SeatMeasures();
    const load: Load = {
      ...{ ledger: testLedger(), inFlight: 0, idle: 0, diverted: 0, dial },
      freed: () => undefined,
      measuresOf: () => measures,
    };
    const routes = seats.map((seat) => routeTo(seat, tcp(1)));
    const agents = routes.map(
      ({ replica, address }, row) => new ReplicaAgent(replica, address, limits, load, row, realClock),
    );
    const policy = inOrder(...seats);
    const table = new RoutingTable(policy, routes, (one) => agents[one - 1] as ReplicaAgent, limits, load, []);
    const loads = new SeatLoads({ factor, floor }, seats);
    for (const agent of agents) {
      for (let taken = below(12); taken > 0; taken--) {
        agent.take(Number.POSITIVE_INFINITY, 1);
        loads.begin(agent.replica.seat);
      }
    }
    const told = `${seats.map((seat) => loads.inFlightAt(seat))}, factor ${factor}, floor ${floor}`;
    t.equal(placeOf(policy, 1, loads), table.take(1, [], false)?.replica.seat, told);
    for (const agent of agents) agent.retire();
  }
});
