// Runs the autoscaling: the load goes up, stays, has a spike, and goes down. It is open: requests come at random
// moments whether or not earlier ones were answered. Looks once a second how many replicas there are.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type OpenRequest, openLoad } from './harness/open-load.ts';
import { type Program, startProgram } from './harness/program.ts';
import type { AutoscaleSamples, AutoscaleSecond } from './samples.ts';
import type { AutoscalePlan } from './scenarios.ts';

const SERVICE = fileURLToPath(new URL('harness/patient-service.js', import.meta.url));

/** The requests in flight that the load of that second makes, if none waits. */
export function plannedInFlight({ low, high, spike, seconds }: AutoscalePlan, atS: number): number {
  const [begin, ramp, plateau, up, after] = [seconds.low, seconds.ramp, seconds.plateau, seconds.spike, seconds.after];
  const ends = [begin, ramp, plateau, up, after, ramp].map((_, index, all) =>
    all.slice(0, index + 1).reduce((sum, one) => sum + one, 0),
  );
  const [risesAt = 0, isHighAt = 0, spikesAt = 0, spikeEnds = 0, fallsAt = 0, isLowAt = 0] = ends;
  if (atS < risesAt || atS >= isLowAt) return low;
  if (atS < isHighAt) return low + ((high - low) * (atS - risesAt)) / ramp;
  if (atS >= fallsAt) return high - ((high - low) * (atS - fallsAt)) / ramp;
  return atS >= spikesAt && atS < spikeEnds ? spike : high;
}

export function secondsOf({ seconds }: AutoscalePlan): number {
  return seconds.low + 2 * seconds.ramp + seconds.plateau + seconds.spike + seconds.after + seconds.end;
}

export async function runAutoscale(plan: AutoscalePlan): Promise<Omit<AutoscaleSamples, 'environment'>> {
  const { serviceMs, target, least, most, windowMs, downAfterMs } = plan;
  const options = [
    ...['--autoscale', `${least}:${most}`, '--autoscale-target', String(target), '--replicas', String(least)],
    ...['--autoscale-window', String(windowMs), '--autoscale-down-after', String(downAfterMs)],
    ...['--autoscale-down-rate', '1', '--', process.execPath, SERVICE],
  ];
  const program = await startProgram(options, { SERVICE_MS: String(serviceMs) });
  try {
    const over = new AbortController();
    const looks = lookEverySecond(program, over.signal);
    const rateAt = (second: number) => (1000 * plannedInFlight(plan, second)) / serviceMs;
    const requests = await openLoad(program.url, rateAt, secondsOf(plan));
    over.abort();
    const counts = await looks;
    const steps = program.log.filter(({ event }) => event === 'autoscaling').length;
    const failed = requests.filter(([, , status]) => status !== 200).length;
    const spans = { plateauS: spanOfPlateau(plan), target, least, most };
    return { ...spans, requests: requests.length, failed, steps, seconds: secondsFrom(plan, requests, counts) };
  } finally {
    await program.stop();
  }
}

// The part of the plateau before the spike, once the long window has nothing of the ramp any more.
function spanOfPlateau({ seconds, windowMs }: AutoscalePlan): readonly [fromS: number, toS: number] {
  const beginS = seconds.low + seconds.ramp;
  return [Math.min(beginS + windowMs / 1000, beginS + seconds.plateau - 1), beginS + seconds.plateau];
}

async function lookEverySecond(program: Program, signal: AbortSignal): Promise<number[]> {
  const counts: number[] = [];
  const beganMs = performance.now();
  while (!signal.aborted) {
    counts.push((await program.hostnames()).length);
    await sleep(Math.max(0, beganMs + 1000 * counts.length - performance.now()));
  }
  return counts;
}

function secondsFrom(plan: AutoscalePlan, requests: readonly OpenRequest[], counts: readonly number[]) {
  const length = Math.min(counts.length, secondsOf(plan));
  const heldMs = new Float64Array(length);
  const failed = new Float64Array(length);
  for (const [dueMs, tookMs, status] of requests) {
    const endMs = dueMs + tookMs;
    for (let at = Math.floor(dueMs / 1000); at < length && at * 1000 < endMs; at++) {
      heldMs[at] = (heldMs[at] as number) + Math.min(endMs, 1000 * (at + 1)) - Math.max(dueMs, 1000 * at);
    }
    const due = Math.floor(dueMs / 1000);
    if (status !== 200 && due < length) failed[due] = (failed[due] as number) + 1;
  }
  return Array.from(
    { length },
    (_, atS): AutoscaleSecond => [
      atS,
      Math.round(10 * plannedInFlight(plan, atS)) / 10,
      Math.round((heldMs[atS] as number) / 100) / 10,
      counts[atS] as number,
      failed[atS] as number,
    ],
  );
}
