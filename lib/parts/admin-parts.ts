// Puts together the balancer's own endpoints: what they show and change is in other parts. Options that a reload may
// change are asked for each time.

import { randomInt } from 'node:crypto';
import type { LiveFeed } from '../admin/feed/live-feed.ts';
import type { LoadGenerator } from '../admin/load/load-generator.ts';
import { type Admin, type AdminPorts, createAdmin } from '../admin/routes.ts';
import type { AutoscaleView } from '../core/autoscale-view.ts';
import { members } from '../core/fleet/fleet-state.ts';
import { whyNone } from '../core/fleet/outage.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { ReplicaRuntime } from '../core/ports.ts';
import type { KeyFunction } from '../core/request/key-source.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { RingKeeper } from '../core/ring/ring-keeper.ts';
import type { ErringReplicas } from '../core/traffic/erring.ts';
import { realClock } from '../fleet/clock.ts';
import type { OutlierWatch } from '../fleet/health/outlier-watch.ts';
import type { AdminMembers } from '../fleet/members/admin.ts';
import type { ListedMembers } from '../fleet/members/listed.ts';
import type { Pause } from '../fleet/pause.ts';
import type { Publisher } from '../fleet/publisher.ts';
import type { Roll } from '../fleet/roll.ts';
import type { Supervisor } from '../fleet/supervisor.ts';
import type { AdjustableLog } from '../log.ts';
import { keyReader } from '../proxy/keys/key-reader.ts';
import { ThreadedPlane } from '../proxy/workers/threads.ts';
import type { MemberPorts } from '../reload/members.ts';
import { createReloader } from '../reload/reloader.ts';
import type { Current } from '../reload/taker.ts';
import { loadHashPair } from '../settings/hash-source.ts';
import type { Options } from '../settings/options.ts';
import { isSample, mostPlaces } from '../settings/rules.ts';
import { startsFromZero } from '../settings/tables/fleet/autoscaling.ts';
import { startsReplicas } from '../settings/tables/fleet/balancers.ts';
import type { AccessFile } from '../system/access-file.ts';
import { type AdminPlace, originReader } from './admin-place.ts';
import { answerTimes } from './limits.ts';
import type { MetricsGathering } from './metrics.ts';
import type { Peers } from './peers.ts';
import { whyUnfit } from './runtime.ts';

/** What the endpoints show and change. */
export interface AdminParts {
  readonly current: Current;
  readonly log: AdjustableLog;
  /** If the options say that the key is a function: that one. */
  readonly keyFunction: KeyFunction | undefined;
  /** The options as a start would have them now; `undefined` if there is no file to read again. */
  readonly reread: (() => Promise<Options>) | undefined;
  readonly place: AdminPlace;
  readonly asked: AdminMembers;
  /** Those of the list that this balancer follows; `undefined` if it follows none. */
  readonly listed: ListedMembers | undefined;
  readonly runtime: ReplicaRuntime;
  readonly rings: RingKeeper;
  readonly supervisor: Supervisor;
  readonly plane: DataPlane;
  readonly publisher: Publisher;
  readonly feed: LiveFeed;
  readonly erring: ErringReplicas;
  readonly metrics: MetricsGathering;
  readonly accessFile: AccessFile;
  readonly pause: Pause;
  readonly roll: Roll;
  readonly outliers: OutlierWatch;
  readonly peers: Peers;
  readonly load: LoadGenerator;
  readonly autoscale: () => AutoscaleView | undefined;
  readonly whyLame: () => string | undefined;
  readonly upgrade: AdminPorts['upgrade'];
}

/** Makes the endpoints, a reload included. */
export function adminOf({
  current,
  log,
  keyFunction,
  reread,
  place,
  asked,
  listed,
  runtime,
  rings,
  supervisor,
  plane,
  publisher,
  feed,
  erring,
  metrics,
  accessFile,
  pause,
  roll,
  outliers,
  peers,
  load,
  autoscale,
  whyLame,
  upgrade,
}: AdminParts): Admin {
  const { options } = current;
  const ports: AdminPorts & MemberPorts = {
    access: place.access,
    answerLimits: answerLimits(current),
    state: () => supervisor.state,
    // Answered when requests go by it.
    add: (wishes) => asked.add(wishes).then(() => publisher.holds()),
    remove: (replicas) => asked.remove(replicas).then(() => publisher.holds()),
    kill: (replica) => {
      publisher.spare(replica);
      return runtime.stop(replica, 0);
    },
    watch: (response, watcher) => feed.watch(response, watcher),
    originOf: originReader(options),
    alone: place.own !== undefined,
    imagine: supervisor.imagine,
    ringOf: (places) => rings.build(places),
    random: (limit) => randomInt(limit),
    log,
    weigh: (weights) => {
      supervisor.change({ type: 'weigh', weights });
      return publisher.holds();
    },
    reload: (isDryRun) => reloader(isDryRun),
    ...readingsOf(plane),
    drain: (replica, isDrained) => {
      supervisor.change({ type: 'drain', incarnation: replica.incarnation, isDrained });
      return publisher.holds();
    },
    pause,
    roll,
    whyUnfit: (make) => whyUnfit(make, options),
    whyLame,
    upgrade,
    load,
    ...boundsOf(options),
    digest: () => peers.digest(),
    whyNotHere: () => whyNotHere(options, listed),
    get hash() {
      return current.options.hash;
    },
    get key() {
      return current.options.key;
    },
    get balanceFactor() {
      return current.options.balanceFactor;
    },
    ...playedOf(current),
    whyNone: () => {
      // A request would have the first one started.
      if (supervisor.state.seats.length === 0 && startsFromZero(current.options)) return undefined;
      return whyNone(supervisor.state, options.failOpen);
    },
    autoscale,
    holds: () => publisher.holds(),
    erring: () => erring.among(members(supervisor.state)).map((replica) => replica.hostname),
    eased: () => outliers.eased,
    diverted: async () => (await plane.counters()).diverted,
    metrics: () => {
      const { failOpen } = options;
      const found = { pause, accessFile, outliers, peers, autoscale };
      return metrics.facts({ plane, state: () => supervisor.state, failOpen, ...found });
    },
    readKey: (request, client) => keyReader(current.options.key, keyFunction)(request, client),
  };
  const tellLogLevel = () => plane instanceof ThreadedPlane && plane.logLevelChanged();
  const reloader = createReloader({
    useAccessFile: (path) => accessFile.use(path),
    reread,
    current,
    rings,
    publisher,
    log,
    members: ports,
    usePeers: (urls) => peers.watch.use(urls),
    tellLogLevel,
  });
  return createAdmin(ports);
}

// What a fleet that there could be goes by, if nothing else is asked for.
function playedOf(current: Current) {
  // Rings of a pair are the faster, the more of them it has made.
  const others = new Map<string, HashPair>();
  return {
    bound: () => ({ factor: current.options.balanceFactor, floor: current.options.balanceFloor }),
    pairNamed: async (name = current.options.hash) => {
      const { options, pair: own } = current;
      const pair = name === options.hash ? own : (others.get(name) ?? (await loadHashPair({ ...options, hash: name })));
      if (pair !== own) others.set(name, pair);
      return { name, pair };
    },
  };
}

function readingsOf(plane: DataPlane) {
  return {
    counters: () => plane.counters(),
    reading: () => plane.reading(),
    poison: () => plane.poison,
    hotKeys: () => plane.hotKeys(),
    sketch: () => plane.sketch(),
    explain: (...asked: Parameters<DataPlane['explain']>) => plane.explain(...asked),
  };
}

// What stays as long as this process runs.
function boundsOf(options: Options) {
  const { slots, virtualNodes, maxReplicas, failOpen } = options;
  const bounds = { slots, virtualNodes, maxReplicas, failOpen };
  return { ...bounds, maxPlaces: mostPlaces(options), startsReplicas: startsReplicas(options) };
}

// A change that one balancer made alone would part its ring from that of the others.
function whyNotHere({ members }: Options, listed: ListedMembers | undefined): string | undefined {
  if (listed === undefined) return undefined;
  const where = listed.controller === undefined ? 'where those are said' : `at ${listed.controller}`;
  return `this balancer follows the members of ${members}: change the fleet ${where}`;
}

function answerLimits(current: Current) {
  return {
    clock: realClock,
    get readTimeoutMs() {
      return answerTimes(current.options).readTimeoutMs;
    },
    get takeTimeoutMs() {
      return answerTimes(current.options).takeTimeoutMs;
    },
  };
}

/** What the dashboard shows. Other options are not for those who look at them. */
export function ringTerms(current: Current) {
  const { virtualNodes, maxReplicas, failOpen } = current.options;
  return {
    virtualNodes,
    maxReplicas,
    failOpen,
    startsReplicas: startsReplicas(current.options),
    isSample: isSample(current.options),
    get hash() {
      return current.options.hash;
    },
  };
}
