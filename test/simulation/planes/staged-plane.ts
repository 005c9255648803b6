// The data plane of a history: in one thread, or over workers that are virtual threads.

import assert from 'node:assert/strict';
import type { DataPlane } from '../../../lib/core/plane-ports.ts';
import { Ledger, ledgerBytes } from '../../../lib/core/request/ledger.ts';
import { Rows } from '../../../lib/core/request/rows.ts';
import type { HashPair } from '../../../lib/core/ring/hashes/hash-pair.ts';
import type { RoutingPlan } from '../../../lib/core/routing-plan.ts';
import { Tally } from '../../../lib/core/traffic/traffic.ts';
import type { TrafficSettings } from '../../../lib/core/traffic-settings.ts';
import type { AdjustableLog } from '../../../lib/log.ts';
import { cellsIn } from '../../../lib/proxy/measure-book.ts';
import { Plane } from '../../../lib/proxy/plane.ts';
import { ThreadedPlane } from '../../../lib/proxy/workers/threads.ts';
import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import { ThreadNetwork, type VirtualNetwork } from '../network/virtual-network.ts';
import { VirtualThread } from './virtual-thread.ts';
import type { Witness } from './witness.ts';

export interface StagePorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: VirtualNetwork;
  readonly traffic: TrafficSettings;
  readonly pair: HashPair;
  readonly witness: Witness;
  /** Calls what may throw an AssertionError. */
  readonly guard: (work: () => void) => void;
}

export interface StagedPlane {
  readonly plane: DataPlane;
  readonly log: AdjustableLog;
  /** A plan is about to be given to the plane. */
  onPublish(plan: RoutingPlan): void;
  /** A worker ends, if there are several. */
  endThread(): void;
  /** Nothing is in flight, waits or is open. Throws AssertionError. */
  checkRest(): void;
}

export function stagePlane(ports: StagePorts): StagedPlane {
  const drawn = ports.random.below(10);
  const workers = drawn < 6 ? 1 : drawn < 9 ? 2 : 3;
  return workers === 1 ? stageOne(ports) : stageSeveral(ports, workers);
}

// More than a history has replicas at a time.
const MOST_ROWS = 64;

const COMMON = {
  takeLines: () => undefined,
  ownAnswer: () => undefined,
  seed: 7,
};

function stageOne({ clock, network, traffic, pair, witness, guard }: StagePorts): StagedPlane {
  const known = new Map<number, number>();
  const rows = new Rows();
  const ledger = new Ledger(new ArrayBuffer(ledgerBytes(1)), 0);
  const shared = {
    ledger,
    rows: {
      rowOf: (incarnation: number) => {
        const row = rows.rowOf(incarnation);
        known.set(incarnation, row);
        return row;
      },
      free: (incarnation: number) => {
        known.delete(incarnation);
        rows.free(incarnation);
      },
    },
    cellsOf: (block: Parameters<typeof cellsIn>[0]) => new Float64Array(cellsIn(block)),
    tallyOf: () => new Tally(),
  };
  const log = guarded(witness.log, guard);
  const plane = new Plane(
    { ...COMMON, log, clock, network: new ThreadNetwork(network, 1), loadPair: async () => pair, shared },
    traffic,
  );
  witness.gauge = { inFlightOf: (incarnation) => inFlightAt(ledger, known.get(incarnation)) };
  return {
    plane,
    log,
    onPublish: (plan) => witness.onPlan(1, plan),
    endThread: () => undefined,
    checkRest: () => checkLedgers([ledger]),
  };
}

function stageSeveral(ports: StagePorts, workers: number): StagedPlane {
  const { clock, random, network, traffic, pair, witness, guard } = ports;
  const threads: VirtualThread[] = [];
  let ledgers: Ledger[] = [];
  let rows: ReadonlyMap<number, number> = new Map();
  const log = guarded(witness.log, guard);
  const world = {
    ...{ clock, random, network, loadPair: async () => pair },
    onMessage: (thread: number, message: Parameters<VirtualThread['postMessage']>[0]) => {
      if (message.type !== 'publish') return;
      witness.onPlan(thread, message.about.plan);
      rows = new Map([...rows, ...message.about.rows]);
    },
  };
  const plane = new ThreadedPlane(
    {
      ...{ ...COMMON, log, clock, takeTimeoutMs: 1000, script: new URL(import.meta.url), own: () => new Map() },
      spawn: (terms) => {
        ledgers = Array.from({ length: workers }, (_, thread) => new Ledger(terms.ledger.memory, thread));
        const thread = new VirtualThread(threads.length + 1, terms, world);
        threads.push(thread);
        return thread as unknown as ReturnType<NonNullable<ConstructorParameters<typeof ThreadedPlane>[0]['spawn']>>;
      },
    },
    traffic,
    workers,
  );
  witness.gauge = {
    inFlightOf: (incarnation) => (ledgers[0] === undefined ? 0 : inFlightAt(ledgers[0], rows.get(incarnation))),
  };
  return {
    plane,
    log,
    onPublish: () => undefined,
    endThread: () => {
      const at = random.below(threads.length);
      witness.ended.add(at + 1);
      threads[at]?.end();
    },
    checkRest: () => checkLedgers(ledgers),
  };
}

function inFlightAt(ledger: Ledger, row: number | undefined): number {
  return row === undefined ? 0 : ledger.inFlightAt(row);
}

function checkLedgers(ledgers: readonly Ledger[]): void {
  for (const ledger of ledgers) {
    assert.equal(ledger.inFlight, 0, 'places are taken, and nothing is in flight');
    assert.equal(ledger.connections, 0, 'connections are counted that are gone');
    for (let row = 0; row < MOST_ROWS; row++)
      assert.equal(ledger.tunnelsAt(row), 0, 'tunnels are counted that are gone');
    assert.equal(ledger.ownWaiting, 0, 'requests are counted that wait for a place');
  }
}

// What the witness finds in an entry must not come back to who wrote it.
function guarded(log: AdjustableLog, guard: (work: () => void) => void): AdjustableLog {
  const line =
    (write: AdjustableLog['info']): AdjustableLog['info'] =>
    (event, details) =>
      guard(() => write(event, details));
  return { ...log, error: line(log.error), warn: line(log.warn), info: line(log.info), debug: line(log.debug) };
}
