// The balancer as a whole, and the public API of the library: one cell that the fleet publishes into and the proxy reads from,
// with the admin endpoints beside them. What each of the three does is in its own folder; none of them knows another.

import { randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mayBeTold } from './admin/access.ts';
import { type AdminServer, createAdminServer } from './admin/admin-server.ts';
import { LiveFeed } from './admin/feed/live-feed.ts';
import { createAdmin } from './admin/routes.ts';
import { adminPlace, originReader } from './admin-place.ts';
import { hostnameIn, members } from './core/fleet/fleet-state.ts';
import { whyNone } from './core/fleet/outage.ts';
import type { Probe, ReplicaRuntime, Wish } from './core/ports.ts';
import type { SeatId } from './core/ring/ring.ts';
import { RingKeeper } from './core/ring/ring-keeper.ts';
import { ErringReplicas } from './core/traffic/erring.ts';
import type { Reading } from './core/traffic/traffic.ts';
import { descriptorLimit, shareDescriptors, warnOfShares } from './descriptors.ts';
import { realClock } from './fleet/clock.ts';
import { connectProbe, httpProbe, noProbe } from './fleet/http-probe.ts';
import { adminMembers } from './fleet/members/admin.ts';
import { follow } from './fleet/members/follow.ts';
import { listMembers } from './fleet/members/list.ts';
import { ScaleFile } from './fleet/members/scale-file.ts';
import { createNoRuntime } from './fleet/runtimes/none.ts';
import { createProcessRuntime } from './fleet/runtimes/processes.ts';
import { Supervisor } from './fleet/supervisor.ts';
import { answerTimes, descriptorWishes, proxyLimits, supervisorRules } from './limits.ts';
import { checkPortIsFree, listening } from './listening.ts';
import type { Log } from './log.ts';
import { keyReader } from './proxy/key.ts';
import { ProxyServer } from './proxy/server.ts';
import { createPublisher } from './publisher.ts';
import { loadHashPair } from './settings/hash-source.ts';
import { mostPlaces, type Options, upstreamPlaces } from './settings/options.ts';

export interface Balancer {
  /** Starts the replicas, then listens. Resolves with the port. Rejects if it cannot listen; then nothing is left behind. */
  start(): Promise<number>;
  /** The replicas there, in the order in which they joined. */
  hostnames(): string[];
  /** What those who change the fleet have to show, if it was drawn here: nobody else knows it. */
  readonly drawnToken: string | undefined;
  /** Why no replica takes requests, in a line; `undefined` if one does. */
  whyNone(): string | undefined;
  /** Stops accepting, finishes open requests within the grace, ends every replica. */
  close(): Promise<void>;
}

// A ring of up to so many slots is laid out in less time than a change may hold up traffic.
const LARGE_RING_SLOTS = 512;
const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const REPLICA_SCRIPT = fileURLToPath(new URL('../replica/main.ts', import.meta.url));

/** A balancer that has not begun. Throws OptionError if the options name a hash that cannot be loaded. */
export async function createBalancer(options: Options, log: Log): Promise<Balancer> {
  const rings = await ringKeeper(options);
  const runtime = await createRuntime(options, log);
  const readKey = keyReader(options.key);
  const shares = shareDescriptors(descriptorLimit(), descriptorWishes(options));
  const limits = proxyLimits(options, shares);
  const about = ringTerms(options);

  const erring = new ErringReplicas(realClock.now());
  const hostnameOf = (seat: SeatId) => hostnameIn(supervisor.state, seat);
  const feed = new LiveFeed({
    clock: realClock,
    timeOfDay: () => Date.now(),
    readCounters: () => proxy.meter.read(),
    erring: erringReader(erring, hostnameOf, log),
    watchSparks: (watched) => proxy.meter.watch(watched),
    takeSparks: () => proxy.meter.takeSparks(),
    about,
  });

  const scale = scaleFile(options, log);
  const supervisor: Supervisor = new Supervisor(
    {
      runtime,
      probe: probeOf(options),
      clock: realClock,
      log,
      publish: createPublisher(options, rings, log, (routing, state, ring) => {
        proxy.route(routing);
        feed.fleetChanged(state, ring);
        if (!supervisor.isClosing) scale?.keep(state);
      }),
      drained: (replica, signal) => proxy.drained(replica, signal),
    },
    supervisorRules(options),
    // Containers outlive this process: what a later one starts must never be taken for what this one did.
    { nameSeed: randomInt(2 ** 32), lastIncarnation: options.runtime === 'docker' ? Date.now() : 0 },
  );
  const asked = adminMembers();
  const place = adminPlace(options, hostname());
  const admin = createAdmin({
    access: place.access,
    answerLimits: { clock: realClock, ...answerTimes(options) },
    state: () => supervisor.state,
    add: asked.add,
    remove: asked.remove,
    kill: (replica) => runtime.stop(replica, 0),
    watch: (response, watcher) => feed.watch(response, watcher),
    originOf: originReader(options),
    alone: place.own !== undefined,
    imagine: supervisor.imagine,
    ringOf: (places) => rings.build(places),
    random: (limit) => randomInt(limit),
    log,
    ...about,
    slots: options.slots,
    maxPlaces: mostPlaces(options),
    balanceFactor: limits.balanceFactor,
    whyNone: () => whyNone(supervisor.state, options.failOpen),
    erring: () => erring.among(members(supervisor.state)).map((replica) => replica.hostname),
    diverted: () => proxy.diverted,
    explain: (key) => proxy.explain(key),
    readKey,
  });
  const adminServer =
    place.own === undefined ? undefined : createAdminServer(place.own, admin.answer, shares.maxAdminConnections, log);
  const proxy: ProxyServer = new ProxyServer(
    {
      log,
      readKey,
      answersItself: adminServer === undefined ? admin.answersOwn : () => false,
      mayBeTold: (request) => mayBeTold(request, place.explain),
      suspect: (incarnation) => supervisor.suspect(incarnation),
      hostnameOf,
      seed: randomInt(2 ** 32),
    },
    limits,
  );
  const begin = () => follow(supervisor, [listMembers(() => firstWishes(options, scale)), asked]);
  return { ...compose(options, supervisor, begin, proxy, adminServer, feed, scale, log), drawnToken: place.drawnToken };
}

async function ringKeeper(options: Options): Promise<RingKeeper> {
  const rings = new RingKeeper({ ...options, pair: await loadHashPair(options), slowStartMs: slowStartMs(options) });
  if (options.slots > LARGE_RING_SLOTS) rings.prepare(Math.max(mostPlaces(options), upstreamPlaces(options)));
  return rings;
}

// What is told to whoever looks: nothing else of the options is for them.
function ringTerms({ hash, virtualNodes, maxReplicas, upstream, failOpen }: Options) {
  return { hash, virtualNodes, maxReplicas, failOpen, startsReplicas: upstream.size === 0 };
}

function erringReader(erring: ErringReplicas, hostnameOf: (seat: SeatId) => string | undefined, log: Log) {
  const reason = 'most of its answers have a status from 500 up, though its heartbeats are good';
  return ({ replicas }: Reading, nowMs: number) =>
    erring.look(replicas, nowMs).map(({ seat, incarnation }) => {
      const hostname = hostnameOf(seat) ?? '';
      log.warn('replica-errs', { hostname, reason });
      return { seat, incarnation, hostname };
    });
}

function compose(
  options: Options,
  supervisor: Supervisor,
  beginFleet: () => Promise<() => void>,
  proxy: ProxyServer,
  adminServer: AdminServer | undefined,
  feed: LiveFeed,
  scale: ScaleFile | undefined,
  log: Log,
): Omit<Balancer, 'drawnToken'> {
  let closing: Promise<void> | undefined;
  let unfollow = () => {};
  const close = async () => {
    // Of what never began, nobody wants to hear the end.
    if (supervisor.hasBegun) log.info('closing', { graceMs: options.graceMs });
    const graceOver = new AbortController();
    const finished = new AbortController();
    realClock.sleep(options.graceMs, finished.signal).then(
      () => graceOver.abort(),
      () => undefined,
    );
    // Those who watch would have to be waited for.
    feed.close();
    supervisor.startNoMore();
    await Promise.all([proxy.close(graceOver.signal), adminServer?.close(graceOver.signal)]);
    finished.abort();
    unfollow();
    await supervisor.close();
    await scale?.settled();
    if (supervisor.hasBegun) log.info('closed');
  };
  const balancer: Omit<Balancer, 'drawnToken'> = {
    start: async () => {
      try {
        // Before a replica is started for nothing. The port is bound only when they serve: the first request finds them.
        await listening('--port', () => checkPortIsFree(options.port, options.host));
        if (options.adminPort !== 0) {
          await listening('--admin-port', () => checkPortIsFree(options.adminPort, options.adminHost));
        }
        warnOfShares(descriptorLimit(), descriptorWishes(options), log);
        unfollow = await beginFleet();
        if (closing !== undefined) return options.port;
        const adminFlag = options.adminPort === 0 ? '--admin-socket' : '--admin-port';
        if (adminServer !== undefined) await listening(adminFlag, adminServer.listen);
        const port = await listening('--port', () => proxy.listen(options.port, options.host));
        log.info('listening', { host: options.host, port });
        return port;
      } catch (error) {
        await balancer.close();
        throw error;
      }
    },
    whyNone: () => whyNone(supervisor.state, options.failOpen),
    hostnames: () => members(supervisor.state).map((replica) => replica.hostname),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
  return balancer;
}

function scaleFile({ keepScale, upstream, dataDir, fleet, port }: Options, log: Log): ScaleFile | undefined {
  if (!keepScale || upstream.size > 0) return undefined;
  return new ScaleFile(join(dataDir, `scale-${fleet === '' ? `ringmaster-${port}` : fleet}.json`), log);
}

async function firstWishes(options: Options, scale: ScaleFile | undefined): Promise<readonly Wish[]> {
  const { upstream, replicas, maxReplicas, slots } = options;
  const kept = await scale?.read({ maxReplicas, maxPlaces: slots });
  if (kept !== undefined) return kept;
  if (upstream.size > 0) return [...upstream].map(([hostname, one]) => ({ hostname, ...one }));
  return Array.from({ length: replicas }, (_, index) => ({ hostname: `server${index + 1}`, weight: 1, ifFree: true }));
}

// Requests that go by their id have nothing that a replica could be warm for.
function slowStartMs({ key, slowStartMs }: Options): number {
  return key[0]?.type === 'request' ? 0 : slowStartMs;
}

function probeOf({ heartbeatPath, heartbeatStatus, heartbeatHost }: Options): Probe {
  if (heartbeatPath === 'off') return noProbe;
  return heartbeatPath === 'tcp' ? connectProbe : httpProbe(heartbeatPath, heartbeatStatus, heartbeatHost);
}

async function createRuntime(options: Options, log: Log): Promise<ReplicaRuntime> {
  if (options.upstream.size > 0) return createNoRuntime();
  if (options.runtime === 'docker') return createDocker(options, log);
  // What is set for the balancer, secrets included, is not for its replicas.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMASTER_'));
  return createProcessRuntime({
    script: REPLICA_SCRIPT,
    environment: { ...Object.fromEntries(inherited), DATA_DIR: options.dataDir, VOTES_URL: options.votesUrl },
    clock: realClock,
  });
}

async function createDocker(options: Options, log: Log): Promise<ReplicaRuntime> {
  // Loaded only where it is used: it takes as long as all the rest.
  const { createDockerRuntime } = await import('./fleet/runtimes/docker/docker.ts');
  const { fleet, dockerImage, dockerNetwork, dockerVolume, port } = options;
  return createDockerRuntime({
    fleet: fleet === '' ? `ringmaster-${port === 0 ? process.pid : port}` : fleet,
    image: dockerImage === '' ? { type: 'checkout', root: CHECKOUT } : { type: 'named', name: dockerImage },
    network: dockerNetwork === '' ? undefined : dockerNetwork,
    volume: dockerVolume,
    votesUrl: options.votesUrl,
    memoryBytes: options.replicaMemoryBytes,
    cpus: options.replicaCpus,
    clock: realClock,
    log,
  });
}
