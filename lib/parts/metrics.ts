// Gathers what the metrics are made of: from the data plane, the fleet, the ring, and this process.

import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { MetricsFacts, ProcessFacts } from '../admin/metrics/facts.ts';
import { FleetCounts } from '../admin/metrics/fleet-counts.ts';
import type { AutoscaleView } from '../core/autoscale-view.ts';
import { type FleetState, weightsOf } from '../core/fleet/fleet-state.ts';
import { whyNone } from '../core/fleet/outage.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { Probe } from '../core/ports.ts';
import type { Eased } from '../core/ring/easing.ts';
import type { HashRing } from '../core/ring/ring.ts';
import { type Shares, sharesOf } from '../core/ring/ring-view.ts';
import { kindOf } from '../fleet/health/http-probe.ts';
import { descriptorLimit } from './descriptors.ts';

export interface MetricsSources {
  readonly plane: DataPlane;
  readonly state: () => FleetState;
  readonly failOpen: boolean;
  readonly pause: { readonly leftMs: number | undefined };
  readonly accessFile: { readonly dropped: number };
  readonly outliers: { readonly eased: readonly Eased[] };
  readonly peers: { readonly watch: { readonly peers: MetricsFacts['peers'] } };
  readonly autoscale: () => AutoscaleView | undefined;
}

export class MetricsGathering {
  readonly #counts = new FleetCounts();
  readonly #maxDescriptors = descriptorLimit();
  #planVersion = 0;
  // The shares of a large ring take a while, and are asked for each second.
  #shares: { readonly ring: HashRing; readonly weights: string; readonly of: Shares } | undefined;
  #ring: HashRing | undefined;

  /** Call it with each state of the fleet, its ring, and the version of its plan. */
  observe(state: FleetState, ring: HashRing, planVersion: number): void {
    this.#counts.observe(state);
    this.#ring = ring;
    this.#planVersion = planVersion;
  }

  /** The same probe, with its results counted. */
  counted(probe: Probe): Probe {
    return this.#counts.counted(probe, kindOf);
  }

  async facts({
    plane,
    state: stateNow,
    failOpen,
    pause,
    accessFile,
    outliers,
    peers,
    autoscale,
  }: MetricsSources): Promise<MetricsFacts> {
    const [reading, { total, keys }] = await Promise.all([plane.reading(), plane.hotKeys()]);
    const process = await processFacts(this.#maxDescriptors);
    const state = stateNow();
    return {
      reading,
      hottestPart: keys[0] === undefined ? undefined : keys[0].count / total,
      state,
      shares: this.#sharesOf(state),
      events: this.#counts.bySeat,
      probes: this.#counts.probes,
      eased: outliers.eased,
      autoscale: autoscale(),
      takesRequests: whyNone(state, failOpen) === undefined,
      isPaused: pause.leftMs !== undefined,
      poison: plane.poison,
      peers: peers.watch.peers,
      droppedLines: accessFile.dropped,
      planVersion: this.#planVersion,
      build: BUILD,
      process,
    };
  }

  #sharesOf(state: FleetState): Shares {
    const ring = this.#ring;
    if (ring === undefined) return { bySeat: new Map(), maxOverMean: 0 };
    const weightsNow = weightsOf(state);
    const weights = JSON.stringify([...weightsNow]);
    if (this.#shares?.ring !== ring || this.#shares.weights !== weights) {
      this.#shares = { ring, weights, of: sharesOf(ring, weightsNow) };
    }
    return this.#shares.of;
  }
}

const BUILD = {
  version: JSON.parse(readFileSync(new URL(import.meta.resolve('ringmaster/package.json')), 'utf8')).version as string,
  node: process.version,
};

async function processFacts(maxDescriptors: number): Promise<ProcessFacts> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    startTimeSeconds: performance.timeOrigin / 1000,
    residentBytes: rss,
    heapBytes: heapUsed,
    openDescriptors: await readdir('/proc/self/fd').then(
      (entries) => entries.length,
      () => undefined,
    ),
    maxDescriptors,
  };
}
