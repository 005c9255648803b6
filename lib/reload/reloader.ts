// All that takes options over, put together.

import type { AdjustableLog } from '../log.ts';
import type { Options } from '../settings/options.ts';
import { autoscalingTaker } from './autoscaling.ts';
import { foreseer } from './foresee.ts';
import { type MemberPorts, memberTaker } from './members.ts';
import { createReload } from './reload.ts';
import type { Current, Taker } from './taker.ts';
import { logTaker, type TrafficPorts, trafficTaker } from './traffic.ts';

export interface ReloaderPorts extends Omit<TrafficPorts, 'log'> {
  readonly reread: (() => Promise<Options>) | undefined;
  readonly current: Current;
  readonly members: MemberPorts;
  readonly log: AdjustableLog;
  /** Has this balancer compared with those from now on. */
  readonly usePeers: (urls: readonly string[]) => void;
  /** Tells other threads that the level of the log has changed. */
  readonly tellLogLevel: () => void;
}

/** Members come last: what a service that leaves still has to finish may take its time. */
export function takersOf(ports: Omit<ReloaderPorts, 'reread'>): readonly Taker[] {
  const { log, members, publisher, tellLogLevel, usePeers } = ports;
  const settled = [logTaker(log, tellLogLevel), peersTaker(usePeers), autoscalingTaker(publisher)];
  return [trafficTaker(ports), ...settled, memberTaker(members)];
}

function peersTaker(use: ReloaderPorts['usePeers']): Taker {
  return {
    flags: ['peers'],
    begin: async (next, before) => ({ finish: () => use(next.peers), undo: () => use(before.peers) }),
  };
}

export function createReloader(ports: ReloaderPorts): (isDryRun: boolean) => Promise<unknown> {
  const { reread, current, members, log } = ports;
  return createReload({ reread, current, log, takers: takersOf(ports), foresee: foreseer(members, current) });
}
