// `npm run simulate`: random histories of both planes on a virtual clock, 100,000 of them. It prints how fast time goes
// there, and of a history that breaks a promise its seed, its last events, and how to play it again.
//
//   npm run simulate -- --seed 7 --count 1000                others, or fewer
//   npm run simulate -- --seed 7 --count 1 --events 500      one of them, with its last events
//   npm run simulate -- --balancers                          ten balancers with one list instead (balancers.ts)

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runSeed } from '../test/fixtures/random.ts';
import { HISTORY_MS } from '../test/simulation/planes/history.ts';
import { KEPT_SEEDS } from '../test/simulation/planes/kept-seeds.ts';
import { type Failed, playHistories } from '../test/simulation/planes/play.ts';
import { printBalancers } from './balancers.ts';

const USAGE = 'Usage: npm run simulate -- [--count N] [--seed N] [--threads N] [--events N] [--balancers]';
const HOUR_MS = 3_600_000;
const PROGRESS_MS = 10_000;
const TOLD_OF_FAILURE = 40;

const { seed, count, threads, events, balancers } = readCommandLine();
if (balancers) {
  printBalancers(seed ?? runSeed());
  process.exit(0);
}
const beganMs = performance.now();
let histories = 0;
let requests = 0;
let told: readonly string[] = [];
let saidMs = beganMs;

const kept = seed === undefined ? await playKept() : [];
const first = seed ?? runSeed();
const failures = await playHistories({ first, count, threads, tells: events > 0 && count === 1 }, onPlayed);
if (events > 0) for (const line of told.slice(-events)) console.log(line);
for (const failure of [...kept, ...failures]) tell(failure);
console.log(`simulate: ${rate()}, seeds from ${first}, failures: ${kept.length + failures.length}`);
process.exitCode = kept.length + failures.length === 0 ? 0 : 1;

async function playKept(): Promise<Failed[]> {
  const all: Failed[] = [];
  for (const one of KEPT_SEEDS) all.push(...(await playHistories({ first: one.seed, count: 1, threads: 1 }, onPlayed)));
  return all;
}

function onPlayed(played: { histories: number; requests: number; told: readonly string[] }): void {
  histories += played.histories;
  requests += played.requests;
  told = played.told;
  if (performance.now() < saidMs + PROGRESS_MS) return;
  saidMs = performance.now();
  console.log(`simulate: ${rate()}`);
}

function rate(): string {
  const minutes = (performance.now() - beganMs) / 60_000;
  const hours = (histories * HISTORY_MS) / HOUR_MS;
  const perMinute = (hours / minutes).toFixed(1);
  const perSecond = (histories / minutes / 60).toFixed(0);
  const done = `${histories.toLocaleString('en')} histories with ${requests.toLocaleString('en')} requests`;
  return `${done}, ${hours.toFixed(1)} simulated hours, ${perMinute} per minute (${perSecond} histories a second)`;
}

function tell(failure: Failed): void {
  const most = events > 0 ? events : TOLD_OF_FAILURE;
  for (const line of failure.told.slice(-most)) console.error(`  ${line}`);
  console.error(`simulate: seed ${failure.seed} fails: ${failure.message}`);
  console.error(`simulate: npm run simulate -- --seed ${failure.seed} --count 1   plays it again`);
}

function readCommandLine() {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        seed: { type: 'string' },
        count: { type: 'string', default: '100000' },
        threads: { type: 'string', default: String(availableParallelism()) },
        events: { type: 'string', default: '0' },
        balancers: { type: 'boolean', default: false },
      },
    });
    const { help, seed, count, threads, events, balancers } = values;
    const isWhole = [seed ?? '0', count, threads, events].every((written) => /^\d{1,10}$/.test(written));
    if (help || !isWhole || threads === '0') {
      console.log(USAGE);
      process.exit(help ? 0 : 2);
    }
    const number = { count: Number(count), threads: Number(threads), events: Number(events) };
    return { ...number, balancers, seed: seed === undefined ? undefined : Number(seed) };
  } catch (error) {
    console.error(`simulate: ${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
