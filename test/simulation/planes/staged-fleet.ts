// The control plane of a history: the real supervisor and publisher, over a simulated machine.

import type { DataPlane } from '../../../lib/core/plane-ports.ts';
import type { ReplicaRuntime } from '../../../lib/core/ports.ts';
import type { HashPair } from '../../../lib/core/ring/hashes/hash-pair.ts';
import { RingKeeper } from '../../../lib/core/ring/ring-keeper.ts';
import type { RoutingPlan } from '../../../lib/core/routing-plan.ts';
import type { TrafficSettings } from '../../../lib/core/traffic-settings.ts';
import { Publisher } from '../../../lib/fleet/publisher.ts';
import { Supervisor } from '../../../lib/fleet/supervisor.ts';
import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import type { Machine } from '../machine.ts';
import type { StagedPlane } from './staged-plane.ts';
import { RING, RULES } from './terms.ts';
import type { Witness } from './witness.ts';

export interface FleetPorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly machine: Machine;
  readonly staged: StagedPlane;
  readonly traffic: TrafficSettings;
  readonly pair: HashPair;
  readonly witness: Witness;
  /** Calls what may throw an AssertionError. */
  readonly guard: (work: () => void) => void;
}

export interface StagedFleet {
  readonly publisher: Publisher;
  readonly supervisor: Supervisor;
}

/** Connects both planes as lib/parts/parts.ts does. */
export function stageFleet(ports: FleetPorts): StagedFleet {
  const { clock, random, machine, staged, traffic, pair, witness, guard } = ports;
  const { plane, log } = staged;
  const publisher = new Publisher(
    {
      ...{ clock, log, plane: watched(ports), observe: () => undefined },
      rings: new RingKeeper({ ...RING, pair, slowStartMs: 0 }),
    },
    {
      ...{ ...RING, hash: { name: 'even' }, traffic },
      explain: { needsToken: true, token: undefined, refusesProxied: true },
    },
    { failOpen: true, hasHeartbeats: true },
  );
  const supervisor = new Supervisor(
    {
      ...{ runtime: runtimeOf(ports), clock, log },
      probe: (address) => machine.probe(address),
      publish: (state) => publisher.publish(state),
      drained: (replica, signal) => publisher.drained(replica, signal),
    },
    RULES,
    { nameSeed: random.below(2 ** 31), lastIncarnation: 0 },
  );
  publisher.begin();
  plane.watch((news) => {
    if (news.type === 'suspected') supervisor.suspect(news.incarnation);
    else guard(() => witness.onDrained(news.incarnation));
  });
  return { publisher, supervisor };
}

function runtimeOf({ machine, witness, guard }: FleetPorts): ReplicaRuntime {
  let isFirstList = true;
  return {
    begin: async () => undefined,
    start: (replica) => machine.start(replica),
    stop: (replica, graceMs) => {
      guard(() => witness.onStop(replica.incarnation, graceMs > 0, RULES.graceMs));
      return machine.stop(replica);
    },
    list: () => {
      // A process that cannot even list its replicas does not begin.
      const list = isFirstList ? machine.list() : machine.listOrFail();
      isFirstList = false;
      return list;
    },
    watch: (listener) => {
      machine.listener = listener;
      return () => undefined;
    },
    close: async () => undefined,
  };
}

// The plane, with what is published seen.
function watched({ staged, witness, guard }: FleetPorts): DataPlane {
  const { plane } = staged;
  const publish = (plan: RoutingPlan) => {
    guard(() => witness.onPublished(plan));
    staged.onPublish(plan);
    const held = plane.publish(plan);
    held.then(
      () => guard(() => witness.onHeld(plan)),
      () => undefined,
    );
    return held;
  };
  return Object.assign(Object.create(plane), { publish, watch: plane.watch.bind(plane) });
}
