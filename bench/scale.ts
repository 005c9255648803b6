// The part of the speed experiment that shows what workers and many replicas cost, and what clients notice of a change
// among many replicas. A contender with one worker has one core. With two it has both cores, of which the load and the
// backends use the second as well. So the requests per second say what this machine can do, and the processor time of
// the busiest thread what the contender could do if each of its workers had a core to itself.

import { startBackends } from './backend.ts';
import { howToGet, OURS, type ScaleContender, scaleContenders } from './contenders.ts';
import { driveHard, driveRejoins } from './generator.ts';
import { beginPeer, type Peer, untilListens } from './harness/peers.ts';
import { pinnedTo, processorTimeMs, threadTimesMs } from './machine.ts';
import type { PlansRound, ScaleRound, SpeedSamples } from './samples.ts';
import type { SpeedPlan } from './scenarios.ts';
import { scaledName } from './summaries.ts';

const CORES = [0, 1] as const;
const LOAD_CORE = 1;
// One with many replicas takes some seconds.
const START_LIMIT_MS = 120_000;

interface Running {
  readonly contender: ScaleContender;
  readonly backends: readonly string[];
  readonly peer: Peer;
}

/** How many steps `runScale` reports. */
export function scaleSteps({ scaleRounds }: SpeedPlan): number {
  return scaleRounds + 2;
}

/** @param tell is called at the beginning of every step. */
export async function runScale(
  plan: SpeedPlan,
  tell: (what: string) => void,
): Promise<Pick<SpeedSamples, 'scale' | 'plans' | 'wrong'>> {
  tell(`starting those with 1 and 2 workers, and with ${plan.manyReplicas} replicas`);
  const backends = await startBackends(LOAD_CORE, plan.manyReplicas);
  const begun: Running[] = [];
  const running: Running[] = [];
  const wrong: Record<string, string> = {};
  const scale: ScaleRound[] = [];
  const plans: PlansRound[] = [];
  try {
    for (const contender of scaleContenders(plan.manyReplicas).filter((one) => howToGet(one) === undefined)) {
      const given = backends.tcp.slice(0, contender.replicas);
      const cores = CORES.slice(0, contender.workers);
      const peer = await beginPeer(contender.kind, { backends: given }, pinnedTo(...cores));
      begun.push({ contender, backends: given, peer });
    }
    for (const one of begun) {
      const fault = await faultOf(one);
      if (fault === undefined) running.push(one);
      else wrong[scaledName({ ...one.contender, contender: one.contender.name })] = fault;
    }
    for (const one of running) await driveHard(urlOf(one), plan.connections, plan.warmUpSeconds / 2, LOAD_CORE);
    for (let round = 0; round < plan.scaleRounds; round++) {
      tell(`workers and replicas, round ${round + 1} of ${plan.scaleRounds}`);
      for (const one of running) scale.push(await measure(one, plan, round));
    }
    tell(`a replica of ${plan.manyReplicas} leaves and joins`);
    for (const one of running.filter(isOursWithMany(plan))) plans.push(await rejoins(one, plan.rejoins));
  } finally {
    for (const { peer } of begun) await peer.stop();
    await backends.stop();
  }
  return { scale, plans, wrong };
}

async function faultOf({ peer }: Running): Promise<string | undefined> {
  try {
    await untilListens(peer, START_LIMIT_MS);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function measure(one: Running, { connections, scaleSeconds }: SpeedPlan, round: number): Promise<ScaleRound> {
  const { name, workers, replicas } = one.contender;
  const pid = one.peer.process.pid as number;
  const [cpuBeforeMs, threadsBefore] = [processorTimeMs(pid), threadTimesMs(pid)];
  const result = await driveHard(urlOf(one), connections, scaleSeconds, LOAD_CORE);
  const [cpuAfterMs, threadsAfter] = [processorTimeMs(pid), threadTimesMs(pid)];
  return {
    contender: name,
    workers,
    replicas,
    round,
    ...result,
    ...(cpuBeforeMs === undefined || cpuAfterMs === undefined ? {} : { cpuMs: cpuAfterMs - cpuBeforeMs }),
    ...(threadsBefore === undefined || threadsAfter === undefined
      ? {}
      : { busiestMs: mostGained(threadsBefore, threadsAfter) }),
  };
}

function mostGained(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  return Math.max(...[...after].map(([thread, ms]) => ms - (before.get(thread) ?? 0)));
}

async function rejoins({ contender, backends, peer }: Running, times: number): Promise<PlansRound> {
  const [address = ''] = backends;
  const result = await driveRejoins(`http://127.0.0.1:${peer.port}`, address, times, LOAD_CORE);
  return { workers: contender.workers, replicas: contender.replicas, ...result };
}

function isOursWithMany({ manyReplicas }: SpeedPlan): (one: Running) => boolean {
  return ({ contender: { name, replicas } }) => name === OURS && replicas === manyReplicas;
}

function urlOf({ peer }: Running): string {
  return `http://127.0.0.1:${peer.port}/`;
}
