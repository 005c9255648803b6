// The balancer as a whole: in which order its parts begin and end. parts.ts makes them. The command, main.ts, and the
// library, ringmaster.ts, use it.

import { hostname } from 'node:os';
import type { InTurn } from './admin/change-queue.ts';
import type { FleetState } from './core/fleet/fleet-state.ts';
import { whyNone } from './core/fleet/outage.ts';
import type { ListenPlace } from './core/plane-ports.ts';
import type { Wish } from './core/ports.ts';
import type { KeyFunction } from './core/request/key-source.ts';
import type { HashPair } from './core/ring/hashes/hash-pair.ts';
import { BalancerError } from './errors.ts';
import { realClock } from './fleet/clock.ts';
import { follow } from './fleet/members/follow.ts';
import { listMembers } from './fleet/members/list.ts';
import { type PidOf, type Replica, rosterOf } from './library/roster.ts';
import { localUrlOf } from './library/urls.ts';
import type { AdjustableLog, Log } from './log.ts';
import { placeText } from './parts/admin-place.ts';
import { replicasAtStart } from './parts/autoscaling.ts';
import { descriptorLimit, warnOfShares } from './parts/descriptors.ts';
import { LameDuck } from './parts/lame-duck.ts';
import { accessFileOf, descriptorWishes } from './parts/limits.ts';
import { createParts, type Parts } from './parts/parts.ts';
import { loadHashPair } from './settings/hash-source.ts';
import { fixedUpstreams } from './settings/lists/upstream.ts';
import type { Options } from './settings/options.ts';
import { mostPlaces, upstreamPlaces } from './settings/rules.ts';
import { startsReplicas } from './settings/tables/fleet/balancers.ts';
import { checkPortIsFree } from './system/free-port.ts';
import { listening } from './system/listening.ts';
import { isOnLoopback } from './system/service-manager.ts';
import type { Handover } from './upgrade/handover.ts';
import { onwardTo, ownPlace } from './upgrade/onward.ts';
import { Succession, type SuccessionTerms } from './upgrade/succession.ts';
import { adopt, checkFits, claim, endReplaced, successionParts, type Taking } from './upgrade/taking.ts';

export interface Balancer {
  /**
   * Starts the replicas, then listens. Resolves with the port. Rejects if it cannot listen, and leaves nothing behind
   * then.
   */
  start(): Promise<number>;
  /** The wanted replicas, in the order in which they joined. */
  replicas(): readonly Replica[];
  /** What the balancer's own endpoints answer, without HTTP. */
  readonly call: Parts['call'];
  /** The token that changes of the fleet take, if it was drawn here. Nobody else knows it then. */
  readonly drawnToken: string | undefined;
  /** Why no replica takes requests, in one line; `undefined` if one does. */
  whyNone(): string | undefined;
  /** Opens the file of the access log anew, if there is one: it was renamed, to be compressed or removed. */
  reopenAccessLog(): Promise<void>;
  /**
   * Says for the time of `lameDuckMs` that nobody should send new requests, then stops accepting, lets open requests
   * finish within the grace, and ends every replica.
   */
  close(): Promise<void>;
  /** Ends that time if it is under way. False if it is not. */
  hurry(): boolean;
  /** Another process has taken the place of this one. */
  readonly hasSuccessor: boolean;
  /** Resolves when that is so and this one has ended in order. */
  readonly replaced: Promise<void>;
}

// A ring of up to this many slots is laid out in less time than a change may hold up traffic.
const LARGE_RING_SLOTS = 512;

const NEVER: SuccessionTerms = {
  environment: {},
  startTimeoutMs: 0,
  never: 'a program that runs the balancer within itself replaces itself',
};

/** What is given beside the options, since it is not plain data or not for a person to say. */
export interface Own {
  /** The functions that `hash` stands for, if it is `OWN_HASH`. */
  readonly pair?: HashPair | undefined;
  /** File descriptors of sockets that listen already, to listen on in place of `--port`. */
  readonly sockets?: readonly number[];
  /** What a replica wrote last that never came up is shown on standard error, even where `replicaOutput` is off. */
  readonly showsLastLines?: boolean;
  /** The function that the key source `function` stands for. */
  readonly keyFunction?: KeyFunction | undefined;
  /** The options as a start would have them now, for a reload. Rejects with an OptionError. */
  readonly reread?: () => Promise<Options>;
  /** Called with each state of the fleet. Must not throw. */
  readonly observe?: (state: FleetState, pidOf: PidOf) => void;
  /** This balancer is a process of its own, so another one may take its place. */
  readonly succession?: SuccessionTerms;
  /** This process takes the place of another one. */
  readonly taking?: Taking | undefined;
}

/** Makes a balancer that has not begun. Throws OptionError if the options name a hash that cannot be loaded. */
export async function createBalancer(options: Options, log: AdjustableLog, own: Own = {}): Promise<Balancer> {
  const pair = await loadHashPair(options, own.pair);
  const { keyFunction, reread, sockets = [], showsLastLines = false, taking } = own;
  const pidOf: PidOf = (replica) => parts.runtime.pidOf?.(replica);
  const observe = (state: FleetState) => own.observe?.(state, pidOf);
  const lameDuck = new LameDuck(options.lameDuckMs, log);
  const upgrade = { run: (inTurn: InTurn) => replace(inTurn), last: () => taking?.before.ending ?? null };
  const handover = taking?.handover;
  const parts: Parts = await createParts(options, {
    ...{ pair, keyFunction, showsLastLines, reread, log, observe, ...opennessOf(sockets, handover) },
    ...{ upgrade, handover, beforeEnded: taking?.before.ended, onward: () => onward, whyLame: () => lameDuck.reason },
  });
  const { call, supervisor, drawnToken } = parts;
  const replaced = Promise.withResolvers<void>();
  let port = options.port;
  let onward: ReturnType<typeof onwardTo> | undefined;
  // What another process still has must not be ended here.
  let isOurs = taking === undefined;
  const succession = new Succession(successionParts(parts, options, log), own.succession ?? NEVER);
  let closing: Promise<void> | undefined;
  let unfollow = () => {};
  let opening: Promise<unknown> = Promise.resolve();
  const replace = async (inTurn: InTurn) => {
    if (closing !== undefined) throw new BalancerError('closing', 'the balancer is shutting down');
    const taken = await succession.run(inTurn, () => {
      onward = onwardTo(ownPlace(options, port));
      unfollow();
    });
    closing = endReplaced(parts, succession, options.graceMs, log);
    void closing.then(replaced.resolve);
    return taken;
  };
  const balancer: Balancer = {
    start: async () => {
      try {
        if (taking === undefined) await checkPorts(options, sockets);
        else checkFits(taking.handover, options);
        await parts.accessFile.use(accessFileOf(options));
        prepare(parts, options, log);
        unfollow = await (taking === undefined
          ? follow(supervisor, [listMembers(() => firstWishes(options, parts)), ...parts.sources])
          : adopt(parts, taking));
        await parts.publisher.holds();
        if (closing !== undefined) return options.port;
        const opened = listen(parts, options, placeOf(options, sockets, handover), handover, log);
        opening = opened.catch(() => undefined);
        port = await opened;
        await takeHold(parts, options, port, taking);
        isOurs = true;
        return port;
      } catch (error) {
        await balancer.close();
        throw error;
      }
    },
    replicas: () => rosterOf(supervisor.state, pidOf),
    call,
    drawnToken,
    reopenAccessLog: () => parts.accessFile.reopen(),
    whyNone: () => whyNone(supervisor.state, options.failOpen),
    get hasSuccessor() {
      return onward !== undefined;
    },
    replaced: replaced.promise,
    close: () => {
      if (!isOurs) return Promise.resolve();
      succession.giveUp();
      // A balancer that never began has no end worth a log entry.
      if (supervisor.hasBegun && closing === undefined) log.info('closing', { graceMs: options.graceMs });
      // A listener that is not open yet could not be closed, and would stay.
      closing ??= opening
        .then((port) => (port === undefined ? undefined : lameDuck.last()))
        .then(() => end(parts, options.graceMs, () => unfollow()))
        .then(() => {
          if (supervisor.hasBegun) log.info('closed');
        });
      return closing;
    },
    hurry: () => lameDuck.hurry(),
  };
  return balancer;
}

// Checks before a replica is started in vain. Ports are bound only when replicas serve, so that even the first request
// finds a replica.
async function checkPorts(
  { port, host, adminPort, adminHost, workers }: Options,
  sockets: readonly number[],
): Promise<void> {
  if (sockets.length > 0 && workers > 1) {
    throw new BalancerError('listen-failed', 'sockets that somebody else has opened (LISTEN_FDS) take --workers 1');
  }
  if (sockets.length === 0) await listening('--port', () => checkPortIsFree(port, host));
  if (adminPort !== 0) await listening('--admin-port', () => checkPortIsFree(adminPort, adminHost));
}

// The attack: `--host` says 127.0.0.1, and systemd has opened the port for everybody. What cannot be found out is taken
// for open, but not of sockets that a process like this one has passed on, which knew where it listened.
function opennessOf(sockets: readonly number[], handover: Handover | undefined): { readonly isOpenToNetwork: boolean } {
  const descriptors = handover?.plane.descriptors ?? sockets;
  return { isOpenToNetwork: descriptors.some((one) => !(isOnLoopback(one) ?? handover !== undefined)) };
}

function placeOf({ port, host }: Options, sockets: readonly number[], handover: Handover | undefined): ListenPlace {
  const descriptors = handover?.plane.descriptors ?? sockets;
  return descriptors.length > 0 ? { descriptors, host } : { port, host };
}

// Everything that replicas do from their start on is heard.
function prepare(
  { supervisor, plane, publisher, feed, rings, outliers, peers }: Parts,
  options: Options,
  log: Log,
): void {
  warnOfShares(descriptorLimit(), descriptorWishes(options), log);
  if (options.slots > LARGE_RING_SLOTS) rings.prepare(Math.max(mostPlaces(options), upstreamPlaces(options)));
  feed.begin();
  outliers.begin();
  peers.watch.begin();
  publisher.begin();
  plane.watch((news) => news.type === 'suspected' && supervisor.suspect(news.incarnation));
}

async function listen(
  { plane, adminServer, load, autoscaler }: Parts,
  { host, adminPort }: Options,
  place: ListenPlace,
  handover: Handover | undefined,
  log: Log,
): Promise<number> {
  const adminFlag = adminPort === 0 ? '--admin-socket' : '--admin-port';
  if (adminServer !== undefined) await listening(adminFlag, () => adminServer.listen(handover?.adminDescriptor));
  const opened = handover === undefined ? 'LISTEN_FDS' : 'handover';
  const port = await listening('descriptors' in place ? opened : '--port', () => plane.listen(place));
  load.begin(localUrlOf(host, port));
  log.info('listening', { host, port });
  // Whoever takes over has no say about the fleet yet.
  if (handover === undefined) autoscaler.begin();
  return port;
}

// The fleet is this process's own from now on, and others may follow it.
async function takeHold(parts: Parts, options: Options, port: number, taking: Taking | undefined): Promise<void> {
  if (taking !== undefined) await claim(parts, taking);
  parts.writer?.begin(placeText(options, port, hostname()));
}

async function end(parts: Parts, graceMs: number, unfollow: () => void): Promise<void> {
  const { supervisor, plane, publisher, adminServer, feed, scale, writer } = parts;
  const { accessFile, pause, outliers, peers, load, autoscaler } = parts;
  const graceOver = new AbortController();
  const finished = new AbortController();
  realClock.sleep(graceMs, finished.signal).then(
    () => graceOver.abort(),
    () => undefined,
  );
  // What is held back would only wait until it is cut.
  await pause.end();
  // Event streams of the feed have no end of their own, and closing would wait for them.
  feed.close();
  load.close();
  outliers.close();
  peers.watch.close();
  autoscaler.close();
  supervisor.startNoMore();
  await Promise.all([plane.close(graceOver.signal), adminServer?.close(graceOver.signal)]);
  finished.abort();
  unfollow();
  // What is written stays: those who follow go on with the replicas that outlive this process.
  await writer?.end();
  await supervisor.close();
  publisher.close();
  await scale?.settled();
  await accessFile.close();
}

async function firstWishes(options: Options, { scale }: Parts): Promise<readonly Wish[]> {
  const { upstream, maxReplicas, slots } = options;
  const kept = await scale?.read({ maxReplicas, maxPlaces: slots });
  if (kept !== undefined) return kept;
  if (upstream.size > 0) return [...fixedUpstreams(upstream)].map(([hostname, one]) => ({ hostname, ...one }));
  if (!startsReplicas(options)) return [];
  return Array.from({ length: replicasAtStart(options) }, (_, index) => ({
    hostname: `server${index + 1}`,
    weight: 1,
    ifFree: true,
  }));
}
