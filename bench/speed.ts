// Runs the speed comparison. Every contender is started in front of the same backends, has to prove that it answers
// correctly, and then takes turns with the others, round after round, so that a disturbance of the machine affects all.
// What counts is the processor time of the contender's processes, since requests per second also depend on the
// generator.

import { BACKENDS, bodyOf, bodyPath, startBackends } from './backend.ts';
import { size } from './charts/theme.ts';
import { CONTENDERS, type Contender, howToGet } from './contenders.ts';
import { driveBurst, driveHard, driveSteadily, generatorName } from './generator.ts';
import { countAnswers } from './harness/load.ts';
import { beginPeer, type Peer, untilListens } from './harness/peers.ts';
import { canPin, pinnedTo, processorTimeMs } from './machine.ts';
import type { BurstRound, LatencyRound, SpeedRound, SpeedSamples } from './samples.ts';
import { BODIES_BYTES, type SpeedPlan } from './scenarios.ts';

const CONTENDER_CORE = 0;
const LOAD_CORE = 1;
const PROOF_REQUESTS = 400;
// The body at `/`, which names the backend.
const SMALL_BODY_BYTES = 0;

interface Running {
  readonly contender: Contender;
  readonly url: string;
  readonly peer: Peer;
}

/** One combination of body size and connections to measure. */
interface Trial {
  readonly bodyBytes: number;
  readonly connections: number;
  readonly round: number;
  readonly seconds: number;
}

/** How many steps `runSpeed` reports. */
export function speedSteps(plan: SpeedPlan): number {
  return trialsOf(plan).length + plan.burstRounds + (plan.steadySeconds > 0 ? 2 : 1);
}

/** @param tell is called at the beginning of every step. */
export async function runSpeed(
  plan: SpeedPlan,
  tell: (what: string) => void,
): Promise<Omit<SpeedSamples, 'environment'>> {
  const missing = Object.fromEntries(
    CONTENDERS.flatMap((one) => {
      const how = howToGet(one);
      return how === undefined ? [] : [[one.name, how]];
    }),
  );
  const backends = await startBackends(LOAD_CORE);
  const running: Running[] = [];
  const wrong: Record<string, string> = {};
  const rounds: SpeedRound[] = [];
  const bursts: BurstRound[] = [];
  const latencies: LatencyRound[] = [];
  try {
    tell('starting the contenders, and having each prove that it answers right');
    const there = CONTENDERS.filter((one) => !(one.name in missing));
    for (const contender of there) {
      // A contender that does not start is noticed when it does not listen.
      const setup = { backends: backends[contender.reach] };
      const peer = await beginPeer(contender.kind, setup, pinnedTo(CONTENDER_CORE));
      running.push({ contender, url: `http://127.0.0.1:${peer.port}`, peer });
    }
    const faults = await Promise.all(running.map((one) => prove(one)));
    for (const [index, fault] of faults.entries()) if (fault !== undefined) wrong[there[index]?.name ?? ''] = fault;
    const proven = running.filter(({ contender }) => !(contender.name in wrong));
    // All warm up at once, because this is only for the compilers and is not measured.
    await Promise.all(proven.map((one) => driveHard(one.url, plan.connections, plan.warmUpSeconds, LOAD_CORE)));
    for (const trial of trialsOf(plan)) {
      tell(describeTrial(trial, plan));
      for (const one of proven) rounds.push(await measure(one, trial));
    }
    for (let round = 0; round < plan.burstRounds; round++) {
      const { burstConnections: connections } = plan;
      tell(`${connections} connections at once, round ${round + 1} of ${plan.burstRounds}`);
      for (const { contender, url } of proven) {
        const result = await driveBurst(url, connections, LOAD_CORE);
        bursts.push({ contender: contender.name, connections, round, ...result });
      }
    }
    if (plan.steadySeconds > 0) tell(`latency of each at ${plan.steadyPerSecond} requests a second`);
    for (const one of plan.steadySeconds > 0 ? proven : []) {
      const { steadyPerSecond: perSecond, steadySeconds } = plan;
      const result = await driveSteadily(one.url, perSecond, steadySeconds, LOAD_CORE);
      latencies.push({ contender: one.contender.name, perSecond, ...result });
    }
  } finally {
    for (const { peer } of running) await peer.stop();
    await backends.stop();
  }
  const conditions = { generator: generatorName(), backend: backends.what, pinned: canPin() };
  return { ...conditions, rounds, bursts, latencies, missing, wrong };
}

/** The trials in the order in which they are driven: a side trial is repeated only after all others. */
export function trialsOf(plan: SpeedPlan): Trial[] {
  const sides = [
    ...plan.bodies.map(({ bytes, connections }) => ({ bodyBytes: bytes, connections })),
    ...plan.manyConnections.map((connections) => ({ bodyBytes: SMALL_BODY_BYTES, connections })),
  ];
  const main = { bodyBytes: SMALL_BODY_BYTES, connections: plan.connections, seconds: plan.seconds };
  return [
    ...Array.from({ length: plan.rounds }, (_, round) => ({ ...main, round })),
    ...Array.from({ length: plan.sideRounds }, (_, round) =>
      sides.map((side) => ({ ...side, round, seconds: plan.sideSeconds })),
    ).flat(),
  ];
}

function describeTrial({ bodyBytes, connections, round }: Trial, plan: SpeedPlan): string {
  if (bodyBytes === SMALL_BODY_BYTES && connections === plan.connections) return `round ${round + 1} of ${plan.rounds}`;
  const what = bodyBytes > SMALL_BODY_BYTES ? `bodies of ${size(bodyBytes)}` : `${connections} connections`;
  return `${what}, round ${round + 1} of ${plan.sideRounds}`;
}

async function prove({ url, peer }: Running): Promise<string | undefined> {
  try {
    await untilListens(peer);
    return await faultOf(url, BACKENDS);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a contender does wrong, if anything: a status, a body, or all requests sent to one backend. */
export async function faultOf(url: string, backends: number): Promise<string | undefined> {
  const { counts, failed } = await countAnswers(url, PROOF_REQUESTS, 8);
  if (failed > 0) return `${failed} of ${PROOF_REQUESTS} requests were not answered as the backend answers`;
  if (counts.size < backends) return `only ${counts.size} of ${backends} backends got requests`;
  for (const bytes of BODIES_BYTES) {
    const response = await fetch(url + bodyPath(bytes));
    const body = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200 || !body.equals(bodyOf(bytes))) return `a body of ${bytes} bytes did not come whole`;
  }
  return undefined;
}

async function measure({ contender, url, peer }: Running, trial: Trial): Promise<SpeedRound> {
  const { bodyBytes, connections, round } = trial;
  const path = bodyBytes === SMALL_BODY_BYTES ? '/' : bodyPath(bodyBytes);
  const pid = peer.process.pid as number;
  const beforeMs = processorTimeMs(pid);
  const result = await driveHard(url + path, connections, trial.seconds, LOAD_CORE);
  const afterMs = processorTimeMs(pid);
  const known = beforeMs !== undefined && afterMs !== undefined;
  return {
    contender: contender.name,
    bodyBytes,
    connections,
    round,
    ...result,
    ...(known ? { cpuMs: afterMs - beforeMs } : {}),
  };
}
