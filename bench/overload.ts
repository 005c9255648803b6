// Runs the overload: three replicas that can do so much and no more get what they can bear, then three times what they
// can do, and then what they can bear again. The load is open: requests come whether or not earlier ones were answered.

import { fileURLToPath } from 'node:url';
import { openLoad } from './harness/open-load.ts';
import { startProgram } from './harness/program.ts';
import type { OverloadSamples } from './samples.ts';
import { type OverloadPlan, SHOWN_REPLICAS } from './scenarios.ts';

const SERVICE = fileURLToPath(new URL('harness/bounded-service.js', import.meta.url));

export async function runOverload(plan: OverloadPlan): Promise<Omit<OverloadSamples, 'environment'>> {
  const { serviceMs, bearableRatio, overloadRatio, beforeSeconds, overloadSeconds, afterSeconds } = plan;
  const perSecond = (SHOWN_REPLICAS * 1000) / serviceMs;
  const endS = beforeSeconds + overloadSeconds;
  const rateAt = (second: number) =>
    perSecond * (second >= beforeSeconds && second < endS ? overloadRatio : bearableRatio);
  const options = ['--replicas', String(SHOWN_REPLICAS), '--', process.execPath, SERVICE];
  const program = await startProgram(options, { SERVICE_MS: String(serviceMs) });
  try {
    const requests = await openLoad(program.url, rateAt, endS + afterSeconds);
    const lost = program.log.filter(({ event }) => event === 'replica-lost').length;
    return { perSecond, beginMs: beforeSeconds * 1000, endMs: endS * 1000, lost, requests };
  } finally {
    await program.stop();
  }
}
