// Makes the parts of a balancer, and connects them. Making them has no effect; balancer.ts begins and ends them.
// Control plane and data plane meet in two places: the publisher, which gives plans, and the news of the data plane.

import { randomInt } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type AdminServer, createAdminServer } from '../admin/admin-server.ts';
import { erringReader } from '../admin/feed/erring-reader.ts';
import { type FeedPorts, LiveFeed } from '../admin/feed/live-feed.ts';
import { frontDoor } from '../admin/load/front-door.ts';
import { LoadGenerator } from '../admin/load/load-generator.ts';
import type { Admin, AdminPorts } from '../admin/routes.ts';
import { type FleetState, hostnameIn, routes } from '../core/fleet/fleet-state.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { Membership, ReplicaRuntime } from '../core/ports.ts';
import type { KeyFunction } from '../core/request/key-source.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { RingKeeper } from '../core/ring/ring-keeper.ts';
import { ErringReplicas } from '../core/traffic/erring.ts';
import type { Autoscaler } from '../fleet/autoscaler.ts';
import { realClock } from '../fleet/clock.ts';
import { OutlierWatch } from '../fleet/health/outlier-watch.ts';
import { adminMembers } from '../fleet/members/admin.ts';
import { ListWriter } from '../fleet/members/list-writer.ts';
import { ScaleFile } from '../fleet/members/scale-file.ts';
import { Pause } from '../fleet/pause.ts';
import { type PlanTerms, Publisher, type PublisherPorts } from '../fleet/publisher.ts';
import { Roll } from '../fleet/roll.ts';
import { Supervisor } from '../fleet/supervisor.ts';
import type { SupervisorPorts } from '../fleet/supervisor-ports.ts';
import type { AdjustableLog, Log } from '../log.ts';
import type { Current } from '../reload/taker.ts';
import { hashOf } from '../settings/hash-source.ts';
import type { Options } from '../settings/options.ts';
import { isSample } from '../settings/rules.ts';
import { startsFromZero } from '../settings/tables/fleet/autoscaling.ts';
import { AccessFile } from '../system/access-file.ts';
import type { Handover } from '../upgrade/handover.ts';
import { adminOf, ringTerms } from './admin-parts.ts';
import { adminPlace } from './admin-place.ts';
import { createAutoscaler } from './autoscaling.ts';
import { createPlane, type OwnEndpoints } from './data-plane.ts';
import { descriptorLimit, shareDescriptors } from './descriptors.ts';
import { descriptorWishes, probeOf, supervisorRules, trafficSettings } from './limits.ts';
import { MetricsGathering } from './metrics.ts';
import { type Peers, peersOf } from './peers.ts';
import { createRuntime } from './runtime.ts';
import { followedList, foundMembers } from './sources.ts';

export interface Parts {
  readonly runtime: ReplicaRuntime;
  /** What the balancer's own endpoints answer, without HTTP. */
  readonly call: Admin['call'];
  readonly supervisor: Supervisor;
  readonly plane: DataPlane;
  /** Where the access log goes. Others may read there how many lines were dropped. */
  readonly accessFile: AccessFile;
  readonly publisher: Publisher;
  readonly rings: RingKeeper;
  /** What says who is in the fleet, beside the options: a list that this balancer follows, its endpoints, and names. */
  readonly sources: readonly Membership[];
  readonly pause: Pause;
  readonly roll: Roll;
  readonly outliers: OutlierWatch;
  readonly peers: Peers;
  readonly autoscaler: Autoscaler;
  readonly feed: LiveFeed;
  /** The built-in load. */
  readonly load: LoadGenerator;
  /** `undefined` if the balancer's own endpoints are on the public port. */
  readonly adminServer: AdminServer | undefined;
  /** `undefined` if the scale is not kept. */
  readonly scale: ScaleFile | undefined;
  /** Writes the list of members for the balancers that follow this one; `undefined` if none do. */
  readonly writer: ListWriter | undefined;
  /** The token that changes of the fleet take, if it was drawn here. */
  readonly drawnToken: string | undefined;
}

/** What is not plain data among the options. */
export interface Means {
  /** The hash pair that the options name. */
  readonly pair: HashPair;
  /** If the options say that the key is a function: that one. */
  readonly keyFunction: KeyFunction | undefined;
  readonly showsLastLines: boolean;
  /** The options as a start would have them now; `undefined` if there is no file to read again. */
  readonly reread: (() => Promise<Options>) | undefined;
  readonly log: AdjustableLog;
  /** What a process hands over whose place this one takes. */
  readonly handover: Handover | undefined;
  /** The public port was opened by somebody else, and not for this machine alone. */
  readonly isOpenToNetwork: boolean;
  /** Resolves when that process has ended. */
  readonly beforeEnded: Promise<void> | undefined;
  /** Why nobody should send new requests here, though they would be served; `undefined` if everybody may. */
  readonly whyLame: () => string | undefined;
  /** Has another process take the place of this one, and says how that went. */
  readonly upgrade: AdminPorts['upgrade'];
  /** Answers requests for the balancer's own endpoints, once another process has the fleet. */
  readonly onward: () => Admin['answer'] | undefined;
  /** Called with each state of the fleet. Must not throw. */
  readonly observe: (state: FleetState) => void;
}

export async function createParts(options: Options, means: Means): Promise<Parts> {
  const { pair, log, handover } = means;
  const current: Current = { options, pair };
  const { isOpenToNetwork } = means;
  const place = adminPlace(options, hostname(), { drawnBefore: handover?.drawnToken, isOpenToNetwork });
  const rings = new RingKeeper({ ...options, pair });
  const scale = scaleFile(options, log);
  const writer = options.role === 'controller' ? new ListWriter(options.members, realClock, log) : undefined;
  const listed = await followedList(options, log);
  const peers = peersOf(current, log);
  const taken = { takesOver: handover !== undefined, handed: handover?.replicas };
  const runtime = await createRuntime(options, { ...means, ...taken, makeOf: (seat) => roll.makeOf(seat) });
  const shares = shareDescriptors(descriptorLimit(), descriptorWishes(options));
  const traffic = trafficSettings(options, shares);
  const hostnameOf = (seat: SeatId) => hostnameIn(supervisor.state, seat);
  const erring = new ErringReplicas(realClock.now());
  const metrics = new MetricsGathering();

  const endpoints: OwnEndpoints = {
    byPath: () => (place.own === undefined ? admin.endpoints : new Map()),
    ownAnswer: (request) => (place.own === undefined ? ownAnswer(admin, means.onward(), request) : undefined),
  };
  const accessFile = new AccessFile(realClock, log);
  const plane = createPlane(current, { ...means, takeLines: accessFile.take, traffic, endpoints });
  const load = loadOf(current);
  const autoscale = () => autoscaler.view;
  const seen = { eased: () => outliers.eased, peers: () => peers.watch.peers };
  const shown = { ...seen, load: () => load.facts, autoscale };
  const feed = feedOf(current, plane, erringReader(erring, hostnameOf, log), shown);
  const publisher = publisherOf(options, {
    ...{ plane, rings, log, traffic },
    explain: place.explain,
    observe: (state, ring, version) => {
      metrics.observe(state, ring, version);
      feed.fleetChanged(state, ring);
      peers.observe(ring);
      roll.observe(state);
      means.observe(state);
      if (supervisor.isClosing) return;
      scale?.keep(state);
      writer?.keep(state);
    },
  });
  const supervisor: Supervisor = supervisorOf(options, {
    runtime,
    publisher,
    log,
    probe: metrics.counted(probeOf(options)),
    drainedBefore: drainedBefore(means),
    seen: async (signal) => writer?.seen(signal),
  });
  const outliers: OutlierWatch = new OutlierWatch({
    ...{ clock: realClock, log, isOn: () => current.options.easeOutliers },
    routes: () => routes(supervisor.state, options.failOpen),
    reading: () => plane.reading(),
    publish: (eased) => publisher.change({ eased }),
  });
  const { startTimeoutMs } = options;
  const roll = new Roll({ supervisor, clock: realClock, log, startTimeoutMs }, handover?.made);
  const pause = new Pause(realClock, log, (isPaused) => publisher.change({ isPaused }));
  const asked = adminMembers();
  const found = await foundMembers(options, log);
  const parts = { runtime, supervisor, plane, accessFile, publisher, rings, feed, load, pause, roll, outliers, peers };
  const admin = adminOf({ ...means, ...parts, asked, listed, current, place, erring, metrics, autoscale });
  const autoscaler: Autoscaler = createAutoscaler({ ...parts, current, log, call: admin.call });
  const answer: Admin['answer'] = (request, response) => (means.onward() ?? admin.answer)(request, response);
  const { own, drawnToken } = place;
  const adminServer = own && createAdminServer(own, answer, shares.maxAdminConnections, log);
  const sources = listed === undefined ? [found, asked] : [listed];
  return { ...parts, autoscaler, sources, call: admin.call, adminServer, scale, writer, drawnToken };
}

// Only who has the fleet can answer.
function ownAnswer(admin: Admin, onward: Admin['answer'] | undefined, request: IncomingMessage) {
  const answer = admin.ownAnswer(request);
  if (answer === undefined || onward === undefined) return answer;
  return (response: ServerResponse) => onward(request, response);
}

function scaleFile({ keepScale, upstream, stateDir, fleet, port }: Options, log: Log): ScaleFile | undefined {
  if (!keepScale || upstream.size > 0) return undefined;
  return new ScaleFile(join(stateDir, `scale-${fleet === '' ? `ringmaster-${port}` : fleet}.json`), log);
}

type PublisherParts = Omit<PublisherPorts, 'clock'> & Pick<PlanTerms, 'explain' | 'traffic'>;

function publisherOf(options: Options, { explain, traffic, ...ports }: PublisherParts): Publisher {
  const { slots, virtualNodes, failOpen, heartbeatPath } = options;
  return new Publisher(
    { ...ports, clock: realClock },
    { hash: hashOf(options), slots, virtualNodes, explain, traffic, startsFromZero: startsFromZero(options) },
    { failOpen, hasHeartbeats: heartbeatPath !== 'off' },
  );
}

interface SupervisorParts extends Pick<SupervisorPorts, 'runtime' | 'probe' | 'log'> {
  readonly publisher: Publisher;
  readonly drainedBefore: SupervisorPorts['drained'];
  /** Resolves when balancers that follow this one send nothing more to whoever has left. */
  readonly seen: (signal: AbortSignal) => Promise<void>;
}

/** Resolves when no request of the process before can be left at a replica that was handed over, or at the signal. */
function drainedBefore({ handover, beforeEnded }: Means): SupervisorPorts['drained'] {
  const handed = new Set(handover?.state.seats.map(({ replica }) => replica.incarnation));
  return async ({ incarnation }, signal) => {
    if (!handed.has(incarnation) || signal.aborted) return;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await Promise.race([beforeEnded, aborted]);
  };
}

function supervisorOf(options: Options, { publisher, drainedBefore, seen, ...ports }: SupervisorParts): Supervisor {
  return new Supervisor(
    {
      ...ports,
      clock: realClock,
      publish: (state) => publisher.publish(state),
      drained: async (replica, signal) => {
        await seen(signal);
        await publisher.drained(replica, signal);
        await drainedBefore(replica, signal);
      },
    },
    supervisorRules(options),
    // Containers outlive this process, so a later process must not reuse incarnations of this one: the time of day
    // makes them differ.
    { nameSeed: randomInt(2 ** 32), lastIncarnation: options.runtime === 'process' ? 0 : Date.now() },
  );
}

function feedOf(
  current: Current,
  plane: DataPlane,
  erring: ReturnType<typeof erringReader>,
  shown: Pick<FeedPorts, 'eased' | 'peers' | 'load' | 'autoscale'>,
): LiveFeed {
  return new LiveFeed({
    clock: realClock,
    timeOfDay: () => Date.now(),
    counters: () => plane.counters(),
    erring,
    ...shown,
    landings: (after) => plane.landings(after),
    quarantined: () => plane.poison.quarantined,
    about: ringTerms(current),
  });
}

function loadOf(current: Current): LoadGenerator {
  return new LoadGenerator({
    clock: realClock,
    random: () => randomInt(2 ** 32) / 2 ** 32,
    sources: () => current.options.key,
    path: isSample(current.options) ? '/home' : '/',
    send: frontDoor(),
  });
}
