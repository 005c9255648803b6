// Answers GET /balancer/metrics. A page of a thousand seats has megabytes, so it is made in parts with room for
// requests in between, and once for all who ask at the same time. Reading changes nothing.

import type { Clock } from '../../core/ports.ts';
import type { Answer } from '../answer.ts';
import { CONTENT_TYPES, exposition, type Format } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';
import { FAMILIES } from './families.ts';
import { formatFor } from './negotiation.ts';

// For a part of the page. A request that comes meanwhile waits so long.
const MOST_AT_ONCE_MS = 5;

/** @param factsNow reads what the metrics are made of. */
export function createMetricsPage(
  clock: Clock,
  factsNow: () => Promise<MetricsFacts>,
): (accept: string | undefined) => Promise<Answer> {
  const underWay = new Map<Format, Promise<Answer>>();
  return (accept) => {
    const format = formatFor(accept);
    const known = underWay.get(format);
    if (known !== undefined) return known;
    const made = factsNow()
      .then((facts) => page(clock, facts, format))
      .finally(() => underWay.delete(format));
    underWay.set(format, made);
    return made;
  };
}

async function page(clock: Clock, facts: MetricsFacts, format: Format): Promise<Answer> {
  const parts: Buffer[] = [];
  let sinceMs = performance.now();
  for (const piece of exposition(FAMILIES, facts, format)) {
    parts.push(Buffer.from(piece));
    if (performance.now() - sinceMs < MOST_AT_ONCE_MS) continue;
    await clock.sleep(0);
    sinceMs = performance.now();
  }
  const fields = { 'Content-Type': CONTENT_TYPES[format], 'X-Content-Type-Options': 'nosniff', Vary: 'Accept' };
  return { status: 200, fields, parts };
}
