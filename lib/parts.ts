// Makes the parts of a balancer, and connects them. Making them has no effect; balancer.ts begins and ends them.
// Control plane and data plane meet in two places: the publisher, which gives plans, and the news of the data plane.

import { randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AdminServer, createAdminServer } from './admin/admin-server.ts';
import { erringReader } from './admin/feed/erring-reader.ts';
import { LiveFeed } from './admin/feed/live-feed.ts';
import type { Admin } from './admin/routes.ts';
import { adminOf, ringTerms } from './admin-parts.ts';
import { adminPlace } from './admin-place.ts';
import { type FleetState, hostnameIn } from './core/fleet/fleet-state.ts';
import type { DataPlane } from './core/plane-ports.ts';
import type { ReplicaRuntime } from './core/ports.ts';
import type { KeyFunction } from './core/request/key-source.ts';
import type { HashPair } from './core/ring/hashes/hash-pair.ts';
import type { SeatId } from './core/ring/ring.ts';
import { RingKeeper } from './core/ring/ring-keeper.ts';
import { ErringReplicas } from './core/traffic/erring.ts';
import type { TrafficSettings } from './core/traffic-settings.ts';
import { descriptorLimit, shareDescriptors } from './descriptors.ts';
import { realClock } from './fleet/clock.ts';
import { type AdminMembers, adminMembers } from './fleet/members/admin.ts';
import { ScaleFile } from './fleet/members/scale-file.ts';
import { Publisher } from './fleet/publisher.ts';
import { createNoRuntime } from './fleet/runtimes/none.ts';
import { createProcessRuntime } from './fleet/runtimes/processes.ts';
import { createReplicaOutput } from './fleet/runtimes/replica-output.ts';
import { Supervisor } from './fleet/supervisor.ts';
import {
  containerSettings,
  descriptorWishes,
  LONGEST_TAKE_MS,
  probeOf,
  supervisorRules,
  trafficSettings,
} from './limits.ts';
import type { AdjustableLog, Log } from './log.ts';
import { Plane, type PlanePorts } from './proxy/plane.ts';
import { ThreadedPlane } from './proxy/workers/threads.ts';
import type { Current } from './reload/taker.ts';
import { hashOf } from './settings/hash-source.ts';
import type { Options } from './settings/options.ts';

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

// By name, since this file is in lib/ of a checkout, and in dist/lib/ of the package that is installed.
const ROOT = fileURLToPath(new URL('.', import.meta.resolve('ringmaster/package.json')));
// Scripts end as this one does: in .ts as it is written, in .js as the package has it.
const ENDING = extname(import.meta.url);
const WORKER_SCRIPT = new URL(`worker${ENDING}`, import.meta.url);
const REPLICA_SCRIPT = fileURLToPath(new URL(`../replica/main${ENDING}`, import.meta.url));

// Where the sample service listens, as it is told.
const SAMPLE_LISTEN = { port: '127.0.0.1:{port}', socket: 'unix:{socket}' } as const;

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
  /** Called with each state of the fleet. Must not throw. */
  readonly observe: (state: FleetState) => void;
}

export async function createParts(options: Options, means: Means): Promise<Parts> {
  const { pair, log } = means;
  const current: Current = { options, pair };
  const place = adminPlace(options, hostname());
  const rings = new RingKeeper({ ...options, pair });
  const scale = scaleFile(options, log);
  const runtime = await createRuntime(options, means);
  const shares = shareDescriptors(descriptorLimit(), descriptorWishes(options));
  const traffic = trafficSettings(options, shares);
  const hostnameOf = (seat: SeatId) => hostnameIn(supervisor.state, seat);
  const erring = new ErringReplicas(realClock.now());

  const endpoints: OwnEndpoints = {
    byPath: () => (place.own === undefined ? admin.endpoints : new Map()),
    ownAnswer: (request) => (place.own === undefined ? admin.ownAnswer(request) : undefined),
  };
  const plane = createPlane({ current, means, traffic, endpoints });
  const feed = new LiveFeed({
    clock: realClock,
    timeOfDay: () => Date.now(),
    counters: () => plane.counters(),
    erring: erringReader(erring, hostnameOf, log),
    landings: (after) => plane.landings(after),
    about: ringTerms(current),
  });
  const publisher = new Publisher(
    {
      plane,
      rings,
      clock: realClock,
      log,
      observe: (state, ring) => {
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
      probe: probeOf(options),
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
  const { keyFunction, reread } = means;
  const changing = { current, reread, takers: [], rings, publisher, supervisor, asked, runtime };
  const admin = adminOf({ ...changing, log, keyFunction, place, plane, feed, erring });
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
  readonly current: Current;
  readonly means: Means;
  readonly traffic: TrafficSettings;
  readonly endpoints: OwnEndpoints;
}

// In this thread, at no cost, where one worker is enough.
function createPlane({ current, means, traffic, endpoints }: PlaneParts): DataPlane {
  const { keyFunction, log } = means;
  const { workers } = current.options;
  const { ownAnswer, byPath } = endpoints;
  const ports = { log, clock: realClock, ownAnswer, seed: randomInt(2 ** 32) };
  // A reload has loaded the pair before it is in a plan.
  if (workers === 1) return new Plane({ ...ports, keyFunction, loadPair: async () => current.pair }, traffic);
  const threaded = { ...ports, script: WORKER_SCRIPT, own: byPath, takeTimeoutMs: LONGEST_TAKE_MS };
  return new ThreadedPlane(threaded, traffic, workers);
}

function scaleFile({ keepScale, upstream, stateDir, fleet, port }: Options, log: Log): ScaleFile | undefined {
  if (!keepScale || upstream.size > 0) return undefined;
  return new ScaleFile(join(stateDir, `scale-${fleet === '' ? `ringmaster-${port}` : fleet}.json`), log);
}

async function createRuntime(options: Options, { log, showsLastLines }: Means): Promise<ReplicaRuntime> {
  if (options.upstream.size > 0) return createNoRuntime();
  if (options.runtime === 'docker') return createDocker(options, log);
  const { command, replicaEnv, replicaCwd, replicaListen, replicaOutput } = options;
  const [program, ...args] = command;
  const isSample = program === undefined;
  // What the sample service says on standard output is for whoever runs it by hand.
  const places = { stdout: isSample ? undefined : process.stdout, stderr: process.stderr };
  const onDropped = (count: number) => log.warn('replica-output-dropped', { count });
  const output = createReplicaOutput(replicaOutput, places, onDropped);
  return createProcessRuntime({
    command: isSample ? [process.execPath, '--disable-sigusr1', REPLICA_SCRIPT] : [program, ...args],
    // Replicas do not get the balancer's own settings, secrets included.
    environment: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMASTER_'))),
    variables: isSample ? new Map([['LISTEN', SAMPLE_LISTEN[replicaListen]], ...replicaEnv]) : replicaEnv,
    cwd: replicaCwd,
    listens: replicaListen,
    output: showsLastLines ? output : { ...output, showLast: () => undefined },
    clock: realClock,
    random: (limit) => randomInt(limit),
  });
}

async function createDocker(options: Options, log: Log): Promise<ReplicaRuntime> {
  // Loaded only if needed, since it takes as long to load as all the rest.
  const { createDockerRuntime } = await import('./fleet/runtimes/docker/docker.ts');
  const image = options.dockerImage;
  return createDockerRuntime({
    ...containerSettings(options, process.env),
    image: image === '' ? { type: 'checkout', root: ROOT } : { type: 'named', name: image },
    clock: realClock,
    log,
  });
}
