// Plays a chaos run: the load, the plan of faults, then rest; and has the history judged.

import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../program.ts';
import { type History, monotonicMs, readHistory } from './history.ts';
import { befallsReplica, injectorOf } from './injectors.ts';
import { judge } from './judge.ts';
import { type ChaosLoad, startChaosLoad } from './load.ts';
import { type PlannedFault, type PlanTerms, planFaults } from './plan.ts';
import type { Conviction, PromisedLimits } from './promises.ts';
import { comeToRest, leaksSince, processesLeft, type Rest } from './rest.ts';
import { OPTIONS, type Stage, setStage } from './stage.ts';

export interface ChaosTerms extends PlanTerms {
  readonly replicas: number;
  /** Requests a second. */
  readonly rate: number;
  readonly wholeWithinMs: number;
}

export interface ChaosResult {
  readonly history: History;
  readonly convictions: readonly Conviction[];
  /** What was left over, in words. */
  readonly leaks: readonly string[];
  readonly before: Rest;
  readonly after: Rest;
  /** Faults that could not be done, and why. */
  readonly misses: readonly string[];
  readonly directory: string;
  readonly log: readonly LogLine[];
}

const WARM_UP_MS = 2000;
const LAG_LOOK_MS = 20;
const LAG_MS = 200;
const AFTER_STOP_MS = 5000;

export const limitsOf = ({ wholeWithinMs }: Pick<ChaosTerms, 'wholeWithinMs'>): PromisedLimits => ({
  keptBytes: 64 * 1024,
  maxAttempts: OPTIONS.requests['max-attempts'],
  retryBudget: OPTIONS.requests['retry-budget'],
  leastRetriesPerSecond: 10,
  freeRetries: 60,
  wholeWithinMs,
});

/** @param tell is called with what happens, in words. */
export async function playChaos(terms: ChaosTerms, tell: (words: string) => void): Promise<ChaosResult> {
  const stage = await setStage(terms);
  const misses: string[] = [];
  try {
    const file = createWriteStream(join(stage.directory, 'clients.jsonl'));
    const load = (seed: number) =>
      startChaosLoad(stage.program.port, terms.rate, seed, (asked) => void file.write(`${JSON.stringify(asked)}\n`));
    const warmUp = load(terms.seed + 1);
    await sleep(WARM_UP_MS);
    await warmUp.stop();
    const before = await comeToRest(stage);
    tell(`${terms.replicas} replicas, ${terms.workers} workers, process ${stage.pid} in ${stage.directory}`);
    const stopWatching = watchLag(stage);
    const loaded = load(terms.seed);
    await playFaults(terms, stage, loaded, tell, misses);
    await loaded.stop();
    stopWatching();
    const after = await comeToRest(stage);
    await new Promise<void>((resolve) => file.end(resolve));
    await stage.stop();
    await writeFile(
      join(stage.directory, 'log'),
      stage.program.log.map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
    const leaks = [...leaksSince(before, after), ...(await leftBehind(stage))];
    const history = readHistory(stage.directory);
    const convictions = judge(history, limitsOf(terms));
    return { history, convictions, leaks, before, after, misses, directory: stage.directory, log: stage.program.log };
  } catch (error) {
    await stage.stop().catch(() => undefined);
    throw error;
  } finally {
    await stage.containers?.close();
  }
}

/** Does what the plan says, and resolves when its time is over. @param misses takes what could not be done, and why. */
export async function playFaults(
  terms: ChaosTerms,
  stage: Stage,
  load: ChaosLoad,
  tell: (words: string) => void,
  misses: string[],
): Promise<void> {
  const startMs = monotonicMs();
  const befallen: Befallen = new Map();
  const open = new Set<Promise<void>>();
  for (const [number, planned] of planFaults(terms).entries()) {
    await sleep(Math.max(0, startMs + planned.atMs - monotonicMs()));
    // Two stay well, so that there is always one that could have answered.
    const isOfReplica = befallsReplica(planned.kind);
    while (isOfReplica && befallen.size >= terms.replicas - 2) await Promise.race(open);
    // What had to wait that long is left out.
    if (monotonicMs() - startMs >= terms.lengthMs) break;
    if (isOfReplica) befallen.set(number, '');
    const one: Promise<void> = strikeOnce(planned, number, befallen, { terms, stage, load }).then(
      (words) => tell(`${((monotonicMs() - startMs) / 1000).toFixed(1)} s  ${words}`),
      (error: Error) => {
        misses.push(`${planned.kind}: ${error.message}`);
        tell(`${planned.kind} could not be done: ${error.message}`);
      },
    );
    const tracked = one.finally(() => {
      befallen.delete(number);
      open.delete(tracked);
    });
    open.add(tracked);
  }
  await Promise.all(open);
  await sleep(Math.max(0, startMs + terms.lengthMs - monotonicMs()));
}

/** Whom each fault that is not over has befallen; empty while that is not drawn yet. */
type Befallen = Map<number, string>;

interface Play {
  readonly terms: ChaosTerms;
  readonly stage: Stage;
  readonly load: ChaosLoad;
}

async function strikeOnce(
  planned: PlannedFault,
  number: number,
  befallen: Befallen,
  { terms, stage, load }: Play,
): Promise<string> {
  const { kind, draw } = planned;
  let who = '';
  if (befallsReplica(kind)) {
    const there = await stage.hostnames();
    const well = there.filter((name) => ![...befallen.values()].includes(name));
    who = well[Math.floor(draw * well.length)] ?? '';
    if (who === '') throw new Error('no replica is well');
    befallen.set(number, who);
  }
  const beganMs = monotonicMs();
  let problem: unknown;
  try {
    await injectorOf(kind)({ ...planned, who, number }, stage, load);
  } catch (error) {
    problem = error;
  }
  const endedMs = monotonicMs();
  // Something else may befall it meanwhile, so this waits longer than the bound that is judged.
  const isWhole = await stage.whole(AbortSignal.timeout(2 * terms.wholeWithinMs));
  const whole = isWhole ? { wholeMs: monotonicMs() } : {};
  stage.note({ is: 'fault', kind, who, beganMs, endedMs, ...whole });
  if (problem !== undefined) throw problem;
  const words = `${kind} ${who}`.trimEnd();
  return `${words}, ${Math.round(endedMs - beganMs)} ms, whole ${isWhole ? `${Math.round(monotonicMs() - endedMs)} ms later` : 'never'}`;
}

// A machine that does not run us does not run the replicas either.
function watchLag(stage: Stage): () => void {
  let lookedMs = monotonicMs();
  const looking = setInterval(() => {
    const nowMs = monotonicMs();
    const forMs = nowMs - lookedMs - LAG_LOOK_MS;
    if (forMs > LAG_MS) stage.note({ is: 'lag', atMs: nowMs, forMs: Math.round(forMs) });
    lookedMs = nowMs;
  }, LAG_LOOK_MS);
  return () => clearInterval(looking);
}

async function leftBehind(stage: Stage): Promise<string[]> {
  const untilMs = performance.now() + AFTER_STOP_MS;
  while (processesLeft(stage) > 0 && performance.now() < untilMs) await sleep(LAG_MS);
  const left = processesLeft(stage);
  const containers = (await stage.containers?.count()) ?? 0;
  return [
    ...(left === 0 ? [] : [`${left} processes outlived the program`]),
    ...(containers === 0 ? [] : [`${containers} containers outlived the program`]),
  ];
}
