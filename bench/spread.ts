// Runs, which are one experiment: for each hash, sends a number of requests at each number of replicas
// and counts which replica answered. The bound on load is off, so that the ring alone decides; A-1 is counted once more
// with it. The program itself is asked for the ring and the shares.

import { countAnswers } from './harness/load.ts';
import { type Program, startProgram } from './harness/program.ts';
import type { Runtime, SpreadRun } from './samples.ts';
import { SHOWN_REPLICAS, type SpreadPlan } from './scenarios.ts';

/** What is counted for one hash, with one program that gets more replicas between the counts. */
export interface SpreadTask {
  readonly hash: string;
  /** In ascending order. */
  readonly replicas: readonly number[];
  readonly requests: number;
  /** With the default bound on load. */
  readonly bounded: boolean;
}

/** The hash of first, then the others of A-4. */
export function spreadTasks(plan: SpreadPlan): SpreadTask[] {
  const others = plan.hashes.filter((hash) => hash !== plan.hash);
  return [
    { hash: plan.hash, replicas: plan.replicas, requests: plan.requests, bounded: false },
    { hash: plan.hash, replicas: [SHOWN_REPLICAS], requests: plan.requests, bounded: true },
    ...others.map((hash) => ({
      hash,
      replicas: plan.comparedReplicas,
      requests: plan.comparedRequests,
      bounded: false,
    })),
  ];
}

export async function runSpread(task: SpreadTask, runtime: Runtime): Promise<SpreadRun[]> {
  const { hash, replicas, requests, bounded } = task;
  const program = await startProgram(spreadOptions(task, runtime));
  try {
    const runs: SpreadRun[] = [];
    for (const count of replicas) {
      await growTo(program, count);
      const { counts, failed } = await countAnswers(`${program.url}/home`, requests);
      runs.push({ hash, replicas: count, requests, bounded, failed, ...(await describeRing(program, counts)) });
    }
    return runs;
  } finally {
    await program.stop();
  }
}

/** The options that the program is started with. */
export function spreadOptions({ hash, replicas, bounded }: SpreadTask, runtime: Runtime): string[] {
  const options = ['--hash', hash, '--replicas', String(replicas[0] ?? 1), '--runtime', runtime, '--log', 'error'];
  return bounded ? options : [...options, '--balance-factor', 'off'];
}

async function growTo(program: Program, count: number): Promise<void> {
  const { message } = JSON.parse((await program.call('GET', '/rep')).text);
  const missing = count - message.N;
  if (missing <= 0) return;
  const hostnames = Array.from({ length: missing }, (_, index) => `server${message.N + index + 1}`);
  const { status, text } = await program.call('POST', '/add', { n: missing, hostnames });
  if (status !== 200) throw new Error(`/add of ${hostnames.join(', ')} was answered with ${status} ${text}`);
}

async function describeRing(program: Program, counted: ReadonlyMap<string, number>) {
  const { message } = JSON.parse((await program.call('GET', '/rep')).text);
  const ring = JSON.parse((await program.call('GET', '/balancer/ring')).text);
  return {
    counts: Object.fromEntries(message.replicas.map((name: string) => [name, counted.get(name) ?? 0])),
    slotShares: ring.shares as Record<string, number>,
    slots: ring.slots as number,
    points: ring.points.map(({ slot, replica }: { slot: number; replica: string }) => ({ slot, replica })),
  };
}
