// The load generator of the speed experiment. It runs in a process of its own, so that it can be pinned to the core of
// the backend, and prints its result as JSON. It uses wrk if that is installed, since autocannon is slower than a good
// proxy; steady streams always use autocannon.
//
//   node bench/generator.ts hard URL CONNECTIONS SECONDS
//   node bench/generator.ts steady URL PER_SECOND SECONDS
//   node bench/generator.ts burst URL CONNECTIONS
//   node bench/generator.ts rejoins URL TIMES ADDRESS

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { burst } from './harness/burst.ts';
import { startSteadyLoad } from './harness/load.ts';
import { isInstalled } from './harness/peers.ts';
import { type Rejoined, rejoin } from './harness/plans.ts';
import { pinnedTo, versionOf } from './machine.ts';
import { quantile } from './statistics.ts';

const run = promisify(execFile);
// Half of them before the burst.
const BUSY_SECONDS = 1.6;
const SELF = fileURLToPath(import.meta.url);

export interface HardResult {
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
}

export interface SteadyResult {
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** Of new connections that come at once: how long they wait for the first byte. */
export interface BurstResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
  /** New connections that were not answered. */
  readonly errors: number;
}

/** The program that `driveHard` uses, for people. */
export function generatorName(): 'wrk' | 'autocannon' {
  return isInstalled('wrk') ? 'wrk' : 'autocannon';
}

/** The version of wrk, if `driveHard` uses it. */
export function generatorVersion(): Record<string, string> {
  const version = generatorName() === 'wrk' ? versionOf('wrk', '-v') : undefined;
  return version === undefined ? {} : { wrk: version };
}

/** Sends as many requests as it can, from a core of its own. */
export async function driveHard(url: string, connections: number, seconds: number, core: number): Promise<HardResult> {
  if (generatorName() === 'autocannon') {
    return runSelf(['hard', url, String(connections), String(seconds)], core);
  }
  // wrk takes whole seconds only. SIGINT ends it earlier, and it still prints a result.
  const options = ['-t1', `-c${connections}`, `-d${Math.ceil(seconds)}s`, '--timeout', '10s', url];
  const [command = '', ...args] = [...pinnedTo(core), 'wrk', ...options];
  const running = run(command, args);
  const whole = Number.isInteger(seconds);
  const interrupt = whole ? undefined : setTimeout(() => running.child.kill('SIGINT'), seconds * 1000);
  try {
    return readWrk((await running).stdout);
  } finally {
    clearTimeout(interrupt);
  }
}

/** Sends that many requests a second at even intervals, from a core of its own. */
export function driveSteadily(url: string, perSecond: number, seconds: number, core: number): Promise<SteadyResult> {
  return runSelf(['steady', url, String(perSecond), String(seconds)], core);
}

/** So many new connections at once, beside as many that are kept as busy as the generator can. */
export async function driveBurst(url: string, connections: number, core: number): Promise<BurstResult> {
  const busy = driveHard(url, connections, BUSY_SECONDS, core);
  await sleep((BUSY_SECONDS * 1000) / 2);
  const [result] = await Promise.all([runSelf<BurstResult>(['burst', url, String(connections)], core), busy]);
  return result;
}

/** Has the replica at that address, whose hostname is the address, leave and join so many times beside some clients. */
export function driveRejoins(url: string, address: string, times: number, core: number): Promise<Rejoined> {
  return runSelf(['rejoins', url, String(times), address], core);
}

/** Parses what wrk prints. Throws if it is something else. */
export function readWrk(output: string): HardResult {
  const [, requests, seconds, unit] = /(\d+) requests in ([\d.]+)(ms|s|m)/.exec(output) ?? [];
  if (requests === undefined || seconds === undefined) throw new Error(`wrk printed no result: ${output}`);
  const socketErrors = /Socket errors: (.*)/.exec(output)?.[1]?.match(/\d+/g) ?? [];
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? '0';
  // Divides by 1000, because multiplying by 0.001 would write down 0.7000599999999999.
  const inSeconds = unit === 'm' ? Number(seconds) * 60 : Number(seconds) / (unit === 'ms' ? 1000 : 1);
  const errors = [...socketErrors, bad].reduce((sum, count) => sum + Number(count), 0);
  return { requests: Number(requests), seconds: inSeconds, errors };
}

async function runSelf<T>(args: readonly string[], core: number): Promise<T> {
  const [command = '', ...words] = [...pinnedTo(core), process.execPath, SELF, ...args];
  return JSON.parse((await run(command, words)).stdout);
}

async function hard(url: string, connections: number, seconds: number): Promise<HardResult> {
  const startMs = performance.now();
  const result = await autocannon({ url, connections, duration: seconds, sampleInt: 100 });
  return {
    requests: result.requests.total,
    seconds: (performance.now() - startMs) / 1000,
    errors: result.errors + result.non2xx,
  };
}

async function steady(url: string, perSecond: number, seconds: number): Promise<SteadyResult> {
  const load = startSteadyLoad(url, perSecond, () => '/');
  // The first second is left out, because connections are made in it.
  await sleep((1 + seconds) * 1000);
  const requests = (await load.stop()).filter(([, sentMs]) => sentMs >= 1000);
  const tookMs = requests.map(([, , took]) => took);
  const errors = requests.filter(([, , , status]) => status !== 200).length;
  const at = (part: number) => quantile(tookMs, part);
  return { requests: requests.length, errors, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) };
}

async function inBurst(url: string, connections: number): Promise<BurstResult> {
  const { tookMs, failed } = await burst(url, connections);
  const at = (part: number) => quantile(tookMs, part);
  return { p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1), errors: failed };
}

if (import.meta.main) {
  const [mode = '', url = '', rate, last = ''] = process.argv.slice(2);
  const count = Number(rate);
  const modes: Readonly<Record<string, () => Promise<object>>> = {
    hard: () => hard(url, count, Number(last)),
    steady: () => steady(url, count, Number(last)),
    burst: () => inBurst(url, count),
    rejoins: () => rejoin(url, { hostname: last, address: last, times: count }),
  };
  process.stdout.write(JSON.stringify(await modes[mode]?.()));
}
