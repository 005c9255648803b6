// The soak: a long load at half of what the machine can do, with a fault every few seconds. Every few seconds it looks
// how much memory and how many descriptors the program has, and how the requests fared: none of that may grow.

import { readdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SETTLED_PART } from './charts/soak.ts';
import { isFailure } from './harness/chaos/costs.ts';
import { type Asked, monotonicMs, readHistory } from './harness/chaos/history.ts';
import { LIGHT, mostPerSecond, startChaosLoad } from './harness/chaos/load.ts';
import { playFaults } from './harness/chaos/play.ts';
import { removeTraces, type Stage, setStage } from './harness/chaos/stage.ts';
import { type HeapParts, heapPartsOf } from './heap.ts';
import type { SoakLook, SoakSamples } from './samples.ts';
import { quantile } from './statistics.ts';

export interface SoakTerms {
  readonly seed: number;
  readonly lengthMs: number;
  readonly everyMs: number;
  readonly workers: number;
  readonly replicas: number;
}

const CLIENTS = 64;
const MAXIMUM_MS = 10_000;
/** When it looks what the heap holds, as parts of the time: amid the load both times. */
const HEAP_AT_PARTS = [SETTLED_PART, 0.95];
// A fault may take a while, and the fleet is whole again at last.
const WHOLE_WITHIN_MS = 60_000;
const MIB = 2 ** 20;

/** @param tell is called with what happens, in words. */
export async function runSoak(
  terms: SoakTerms,
  tell: (words: string) => void,
): Promise<Omit<SoakSamples, 'environment'>> {
  const { seed, workers, replicas } = terms;
  const stage = await setStage({ replicas, workers, runtime: 'process', isQuiet: true });
  try {
    tell('how much the machine can do');
    const most = await mostPerSecond(stage.program.port, CLIENTS, MAXIMUM_MS, LIGHT);
    const perSecond = Math.max(1, Math.round(most / 2));
    tell(`at most ${most} requests a second, so ${perSecond} are sent`);
    const answers = createTally();
    const load = startChaosLoad(stage.program.port, perSecond, seed, answers.add, LIGHT);
    const startMs = monotonicMs();
    const looks: SoakLook[] = [];
    const heap: HeapParts[] = [];
    const looking = lookAgainAndAgain(stage, terms, startMs, async () => {
      const atMs = Math.round(monotonicMs() - startMs);
      looks.push({ atMs, ...(await lookAt(stage)), ...answers.take() });
      tell(describeLook(looks.at(-1) as SoakLook));
      // It takes the program a second, so it is done only twice.
      const due = HEAP_AT_PARTS.filter((part) => atMs >= part * terms.lengthMs).length;
      if (heap.length < due) heap.push(await heapParts(stage));
    });
    // An upgrade would begin with a new process, which has nothing of what the one before it has kept.
    const plan = { ...terms, runtime: 'process', rate: perSecond, without: ['upgrade'] } as const;
    const misses: string[] = [];
    await playFaults({ ...plan, wholeWithinMs: WHOLE_WITHIN_MS }, stage, load, () => undefined, misses);
    await looking;
    await load.stop();
    await stage.stop();
    for (const miss of misses) tell(`not done: ${miss}`);
    const faults = readHistory(stage.directory).happenings.flatMap((one) =>
      one.is === 'fault' ? [{ kind: one.kind, atMs: Math.round(one.beganMs - startMs) }] : [],
    );
    return { seed, workers, replicas, perSecond, mostPerSecond: most, faults, looks, heap, wrong: answers.wrong() };
  } finally {
    await stage.stop().catch(() => undefined);
    await removeTraces(stage);
  }
}

async function lookAgainAndAgain(
  stage: Stage,
  { lengthMs, everyMs }: SoakTerms,
  startMs: number,
  look: () => Promise<void>,
): Promise<void> {
  for (let atMs = everyMs; atMs <= lengthMs; atMs += everyMs) {
    await sleep(Math.max(0, startMs + atMs - monotonicMs()));
    // With descriptors short it may not answer; then this look is left out.
    if (stage.program.process.exitCode === null) await look().catch(() => undefined);
  }
}

async function lookAt(stage: Stage) {
  const descriptors = readdirSync(`/proc/${stage.pid}/fd`).length;
  const inside = (await stage.inside(0, 'rest')) as { rss: number; heapUsed: number; external: number };
  return { residentBytes: inside.rss, heapBytes: inside.heapUsed, externalBytes: inside.external, descriptors };
}

async function heapParts(stage: Stage): Promise<HeapParts> {
  const { path } = (await stage.inside(0, 'heap')) as { path: string };
  const parts = heapPartsOf(await readFile(path, 'utf8'));
  await rm(path);
  return parts;
}

function createTally() {
  let [tookMs, good, failed, wrong] = [[] as number[], 0, 0, 0];
  return {
    add: (asked: Asked) => {
      const isGood = asked.outcome === 'answered' && asked.status === 200;
      if (isFailure(asked)) failed += 1;
      if (isGood && asked.echo !== asked.nonce) wrong += 1;
      if (isGood) good += 1;
      // Others take their time.
      if (isGood && (asked.way === 'kept' || asked.way === 'fresh')) tookMs.push(asked.endMs - asked.sentMs);
    },
    /** What was added since the last time. */
    take: () => {
      const [all, requests, failures] = [tookMs, good + failed, failed];
      [tookMs, good, failed] = [[], 0, 0];
      const rounded = (part: number) => (all.length === 0 ? 0 : Math.round(quantile(all, part) * 10) / 10);
      return { requests, failed: failures, p50Ms: rounded(0.5), p99Ms: rounded(0.99) };
    },
    wrong: () => wrong,
  };
}

function describeLook({ atMs, residentBytes, heapBytes, descriptors, requests, failed, p99Ms }: SoakLook): string {
  const memory = `resident ${Math.round(residentBytes / MIB)} MiB, heap ${(heapBytes / MIB).toFixed(1)} MiB`;
  const fared = `${requests} requests, ${failed} failed, p99 ${p99Ms} ms`;
  return `${Math.round(atMs / 1000)} s: ${memory}, ${descriptors} descriptors; ${fared}`;
}
