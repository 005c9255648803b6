// Makes the parts of a balancer, and connects them. Making them has no effect; balancer.ts begins and ends them.
// Control plane and data plane meet in two places: the publisher, which gives plans, and the news of the data plane.

import { randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { extname, join } from 'node:path';
import { type AdminServer, createAdminServer } from './admin/admin-server.ts';
import { LiveFeed } from './admin/feed/live-feed.ts';
import { type Admin, createAdmin } from './admin/routes.ts';
import { type AdminPlace, adminPlace, originReader } from './admin-place.ts';
import { type FleetState, hostnameIn, members } from './core/fleet/fleet-state.ts';
import { whyNone } from './core/fleet/outage.ts';
import type { DataPlane } from './core/plane-ports.ts';
import type { ReplicaRuntime } from './core/ports.ts';
import type { KeyFunction } from './core/request/key-source.ts';
import type { HashPair } from './core/ring/hashes/hash-pair.ts';
import type { SeatId } from './core/ring/ring.ts';
import { RingKeeper } from './core/ring/ring-keeper.ts';
import type { Counters } from './core/traffic/counters.ts';
import { ErringReplicas } from './core/traffic/erring.ts';
import type { TrafficSettings } from './core/traffic-settings.ts';
import { descriptorLimit, shareDescriptors } from './descriptors.ts';
import { realClock } from './fleet/clock.ts';
import { type AdminMembers, adminMembers } from './fleet/members/admin.ts';
import { ScaleFile } from './fleet/members/scale-file.ts';
import { Publisher } from './fleet/publisher.ts';
import { Supervisor } from './fleet/supervisor.ts';
import { answerTimes, descriptorWishes, probeOf, supervisorRules, trafficSettings } from './limits.ts';
import type { Log } from './log.ts';
import { MetricsGathering } from './parts/metrics.ts';
import { createRuntime } from './parts/runtime.ts';
import { keyReader } from './proxy/key.ts';
import { Plane, type PlanePorts } from './proxy/plane.ts';
import { ThreadedPlane } from './proxy/workers/threads.ts';
import { hashOf } from './settings/hash-source.ts';
import { mostPlaces, type Options } from './settings/options.ts';

export interface Parts {
  readonly runtime: ReplicaRuntime;
  /** What the balancer's own endpoints answer, without HTTP. */
  readonly call: Admin['call'];
  readonly supervisor: Supervisor;
  readonly plane: DataPlane;
  readonly publisher: Publisher;
  readonly rings: RingKeeper;
  /** The members that are asked for at the admin endpoints. */
  readonly asked: AdminMembers;
  readonly feed: LiveFeed;
  /** `undefined` if the balancer's own endpoints are on the public port. */
  readonly adminServer: AdminServer | undefined;
  /** `undefined` if the scale is not kept. */
  readonly scale: ScaleFile | undefined;
  /** The token that changes of the fleet take, if it was drawn here. */
  readonly drawnToken: string | undefined;
}

const WORKER_SCRIPT = new URL(`worker${extname(import.meta.url)}`, import.meta.url);

/** What is not plain data among the options. */
export interface Means {
  /** The hash pair that the options name. */
  readonly pair: HashPair;
  /** If the options say that the key is a function: that one. */
  readonly keyFunction: KeyFunction | undefined;
  readonly showsLastLines: boolean;
  readonly log: Log;
  /** Called with each state of the fleet. Must not throw. */
  readonly observe: (state: FleetState) => void;
}

export async function createParts(options: Options, means: Means): Promise<Parts> {
  const { pair, log } = means;
  const place = adminPlace(options, hostname());
  const rings = new RingKeeper({ ...options, pair });
  const scale = scaleFile(options, log);
  const runtime = await createRuntime(options, means);
  const shares = shareDescriptors(descriptorLimit(), descriptorWishes(options));
  const traffic = trafficSettings(options, shares);
  const hostnameOf = (seat: SeatId) => hostnameIn(supervisor.state, seat);
  const erring = new ErringReplicas(realClock.now());
  const metrics = new MetricsGathering();

  const endpoints: OwnEndpoints = {
    byPath: () => (place.own === undefined ? admin.endpoints : new Map()),
    ownAnswer: (request) => (place.own === undefined ? admin.ownAnswer(request) : undefined),
  };
  const plane = createPlane({ options, means, traffic, endpoints });
  const feed = createFeed(options, plane, erringReader(erring, hostnameOf, log));
  const publisher = new Publisher(
    {
      plane,
      rings,
      clock: realClock,
      log,
      observe: (state, ring, version) => {
        metrics.observe(state, ring, version);
        feed.fleetChanged(state, ring);
        means.observe(state);
        if (!supervisor.isClosing) scale?.keep(state);
      },
    },
    {
      hash: hashOf(options),
      slots: options.slots,
      virtualNodes: options.virtualNodes,
      explain: place.explain,
      traffic,
    },
    { failOpen: options.failOpen, hasHeartbeats: options.heartbeatPath !== 'off' },
  );
  const supervisor: Supervisor = new Supervisor(
    {
      runtime,
      probe: metrics.counted(probeOf(options)),
      clock: realClock,
      log,
      publish: (state) => publisher.publish(state),
      drained: (replica, signal) => publisher.drained(replica, signal),
    },
    supervisorRules(options),
    // Containers outlive this process, so a later process must not reuse incarnations of this one: the time of day
    // makes them differ.
    { nameSeed: randomInt(2 ** 32), lastIncarnation: options.runtime === 'docker' ? Date.now() : 0 },
  );
  const asked = adminMembers();
  const admin = adminOf({
    options,
    means,
    place,
    asked,
    runtime,
    rings,
    supervisor,
    plane,
    publisher,
    feed,
    erring,
    metrics,
  });
  const adminServer =
    place.own === undefined ? undefined : createAdminServer(place.own, admin.answer, shares.maxAdminConnections, log);
  return {
    runtime,
    call: admin.call,
    supervisor,
    plane,
    publisher,
    rings,
    asked,
    feed,
    adminServer,
    scale,
    drawnToken: place.drawnToken,
  };
}

/** The balancer's own endpoints as the public port has them. */
interface OwnEndpoints {
  /** The method of each. */
  readonly byPath: () => ReadonlyMap<string, string>;
  readonly ownAnswer: PlanePorts['ownAnswer'];
}

interface PlaneParts {
  readonly options: Options;
  readonly means: Means;
  readonly traffic: TrafficSettings;
  readonly endpoints: OwnEndpoints;
}

// In this thread, at no cost, where one worker is enough.
function createPlane({ options, means, traffic, endpoints }: PlaneParts): DataPlane {
  const { pair, keyFunction, log } = means;
  const { ownAnswer, byPath } = endpoints;
  const ports = { log, clock: realClock, ownAnswer, seed: randomInt(2 ** 32) };
  if (options.workers === 1) return new Plane({ ...ports, keyFunction, loadPair: async () => pair }, traffic);
  const { takeTimeoutMs } = answerTimes(options);
  const threaded = { ...ports, script: WORKER_SCRIPT, logLevel: options.log, own: byPath, takeTimeoutMs };
  return new ThreadedPlane(threaded, traffic, options.workers);
}

function createFeed(options: Options, plane: DataPlane, erring: ReturnType<typeof erringReader>): LiveFeed {
  return new LiveFeed({
    clock: realClock,
    timeOfDay: () => Date.now(),
    counters: () => plane.counters(),
    erring,
    landings: (after) => plane.landings(after),
    about: ringTerms(options),
  });
}

interface AdminParts {
  readonly options: Options;
  readonly means: Means;
  readonly place: AdminPlace;
  readonly asked: AdminMembers;
  readonly runtime: ReplicaRuntime;
  readonly rings: RingKeeper;
  readonly supervisor: Supervisor;
  readonly plane: DataPlane;
  readonly publisher: Publisher;
  readonly feed: LiveFeed;
  readonly erring: ErringReplicas;
  readonly metrics: MetricsGathering;
}

function adminOf({
  options,
  means,
  place,
  asked,
  runtime,
  rings,
  supervisor,
  plane,
  publisher,
  feed,
  erring,
  metrics,
}: AdminParts): Admin {
  return createAdmin({
    access: place.access,
    answerLimits: { clock: realClock, ...answerTimes(options) },
    state: () => supervisor.state,
    // Answered when requests go by it.
    add: (wishes) => asked.add(wishes).then(() => publisher.holds()),
    remove: (replicas) => asked.remove(replicas).then(() => publisher.holds()),
    kill: (replica) => runtime.stop(replica, 0),
    watch: (response, watcher) => feed.watch(response, watcher),
    originOf: originReader(options),
    alone: place.own !== undefined,
    imagine: supervisor.imagine,
    ringOf: (places) => rings.build(places),
    random: (limit) => randomInt(limit),
    log: means.log,
    ...ringTerms(options),
    slots: options.slots,
    maxPlaces: mostPlaces(options),
    balanceFactor: options.balanceFactor,
    whyNone: () => whyNone(supervisor.state, options.failOpen),
    holds: () => publisher.holds(),
    erring: () => erring.among(members(supervisor.state)).map((replica) => replica.hostname),
    diverted: async () => (await plane.counters()).diverted,
    metrics: () => metrics.facts({ plane, state: () => supervisor.state, failOpen: options.failOpen }),
    explain: (key) => plane.explain(key),
    readKey: keyReader(options.key, means.keyFunction),
  });
}

// What the dashboard and the ring page show. Other options are not for those who look at them.
function ringTerms({ hash, virtualNodes, maxReplicas, upstream, failOpen }: Options) {
  return { hash, virtualNodes, maxReplicas, failOpen, startsReplicas: upstream.size === 0 };
}

function erringReader(erring: ErringReplicas, hostnameOf: (seat: SeatId) => string | undefined, log: Log) {
  const reason = 'most of its answers have a status from 500 up, though its heartbeats are good';
  return ({ replicas }: Counters, nowMs: number) =>
    erring.look(replicas, nowMs).map(({ seat, incarnation }) => {
      const hostname = hostnameOf(seat) ?? '';
      log.warn('replica-errs', { hostname, reason });
      return { seat, incarnation, hostname };
    });
}

function scaleFile({ keepScale, upstream, stateDir, fleet, port }: Options, log: Log): ScaleFile | undefined {
  if (!keepScale || upstream.size > 0) return undefined;
  return new ScaleFile(join(stateDir, `scale-${fleet === '' ? `ringmaster-${port}` : fleet}.json`), log);
}
