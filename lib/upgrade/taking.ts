// The upgrade as the parts of a balancer go through it: what the one before hands over and how it ends, and what the
// next one begins with.

import { existsSync } from 'node:fs';
import { BalancerError, describe } from '../errors.ts';
import { realClock } from '../fleet/clock.ts';
import { followOn } from '../fleet/members/follow.ts';
import type { Log } from '../log.ts';
import type { Parts } from '../parts/parts.ts';
import type { Options } from '../settings/options.ts';
import { startsReplicas } from '../settings/tables/fleet/balancers.ts';
import { type HandedService, type Handover, shifted, unfit } from './handover.ts';
import type { ProcessBefore } from './process-before.ts';
import type { Succession, SuccessionParts } from './succession.ts';

/** The place that a process takes. */
export interface Taking {
  readonly before: ProcessBefore;
  readonly handover: Handover;
}

/** Throws `upgrade-refused` if a balancer with these options cannot go on with what is handed over. */
export function checkFits(handover: Handover, options: Options): void {
  const reason = unfit(handover, serviceOf(options), options.slots);
  if (reason !== undefined) throw new BalancerError('upgrade-refused', reason);
}

/** Begins with the fleet of the process before, and nothing is started or stopped yet. As `follow`. */
export async function adopt({ supervisor, sources }: Parts, { handover }: Taking): Promise<() => void> {
  await supervisor.takeOver(shifted(handover.state, realClock.now() - handover.atMs));
  return followOn(supervisor, sources);
}

/** Resolves when the fleet is this process's own. Rejects if the one before goes on. */
export async function claim({ runtime, supervisor, autoscaler }: Parts, { before }: Taking): Promise<void> {
  await before.commit();
  runtime.claim?.();
  supervisor.goOn();
  autoscaler.begin();
  before.tell('taken');
}

/** Says that this process has taken over, and later how the one before has ended. */
export function tellTaken({ before, handover }: Taking, log: Log): void {
  before.tell('announced');
  const { pid, state, plane } = handover;
  log.info('took-over', { from: pid, replicas: state.seats.length, sockets: plane.descriptors.length });
  void before.ended.then(() => {
    const { connections = 0, lost = 0, phase = 'killed' } = before.ending ?? {};
    const write = phase === 'ended' && lost === 0 ? log.info : log.error;
    write('process-before-ended', { pid, connections, lost, phase });
  });
}

/** What a balancer of these parts hands over. */
export function successionParts(parts: Parts, options: Options, log: Log): SuccessionParts {
  const { plane, runtime, supervisor, adminServer, roll, pause, drawnToken } = parts;
  return {
    ...{ plane, runtime, supervisor, roll, pause, drawnToken, log },
    adminDescriptor: () => adminServer?.descriptor(),
    service: serviceOf(options),
  };
}

/** Ends the parts of a balancer whose place is taken. Resolves when no connection is left, or when that failed. */
export function endReplaced(parts: Parts, succession: Succession, graceMs: number, log: Log): Promise<void> {
  const fail = (error: unknown) => log.error('end-failed', { reason: describe(error) });
  return endInOrder(parts, succession, graceMs, log).catch(fail);
}

async function endInOrder(parts: Parts, succession: Succession, graceMs: number, log: Log): Promise<void> {
  const graceOver = new AbortController();
  const finished = new AbortController();
  realClock.sleep(graceMs, finished.signal).then(
    () => graceOver.abort(),
    () => undefined,
  );
  // Dashboards come back, to the next process.
  parts.feed.close();
  parts.load.close();
  parts.outliers.close();
  parts.peers.watch.close();
  void parts.writer?.end();
  parts.autoscaler.close();
  const adminEnds = parts.adminServer?.giveWay(graceOver.signal);
  const { connections, lost } = await succession.end(graceOver.signal);
  await adminEnds;
  finished.abort();
  parts.publisher.close();
  await parts.scale?.settled();
  log.info('ended-replaced', { connections, lost });
}

/** Why no process may ever take the place of this one; `undefined` if one may. To be asked at the start. */
export function whyNeverReplaced({ runtime, port, fleet }: Options, isSuccessor: boolean): string | undefined {
  if (process.platform !== 'linux') return 'an upgrade takes Linux';
  if (runtime !== 'process' && port === 0 && fleet === '') {
    return 'containers of a balancer on --port 0 are known by its process: name them with --fleet';
  }
  if (process.pid === 1) return 'this is the first process of its container, which ends with it: replace the container';
  // An init that only waits for its child ends the container too. A process that took over has lost its parent.
  const inContainer = ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file));
  if (process.ppid === 1 && inContainer && !isSuccessor) {
    return 'its container ends with this process: replace the container';
  }
  return undefined;
}

function serviceOf(options: Options): HandedService {
  const { port, host, adminPort, adminHost, adminSocket, runtime } = options;
  const tcp = adminPort === 0 ? 'the public port' : `${adminHost}:${adminPort}`;
  return {
    port,
    host,
    admin: adminSocket === '' ? tcp : adminSocket,
    runtime: startsReplicas(options) ? runtime : 'given',
  };
}
