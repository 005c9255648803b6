// Answers GET /balancer/metrics. A page of a thousand seats has megabytes, so it is made in parts with room for
// requests in between, and once for all who ask at about the same time. Reading changes nothing.

import type { Clock } from '../../core/ports.ts';
import type { Answer } from '../answer.ts';
import { CONTENT_TYPES, exposition, type Format } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';
import { FAMILIES } from './families.ts';
import { formatFor } from './negotiation.ts';

// The attack: a page that takes a while to make is asked for again and again (test/admin/metrics.test.ts). So one holds
// for this many times as long as it took, and no more than a tenth of the time goes into pages.
const HOLDS_TIMES = 10;
// For a part of the page. A request that comes meanwhile waits so long.
const MOST_AT_ONCE_MS = 5;

/** @param factsNow reads what the metrics are made of. */
export function createMetricsPage(
  clock: Clock,
  factsNow: () => Promise<MetricsFacts>,
): (accept: string | undefined) => Promise<Answer> {
  const pages = new Map<Format, { readonly answer: Promise<Answer>; holdsUntilMs: number }>();
  return (accept) => {
    const format = formatFor(accept);
    const known = pages.get(format);
    const nowMs = clock.now();
    if (known !== undefined && nowMs < known.holdsUntilMs) return known.answer;
    const made = {
      answer: factsNow().then((facts) => page(clock, facts, format)),
      holdsUntilMs: Number.POSITIVE_INFINITY,
    };
    pages.set(format, made);
    made.answer.then(
      () => {
        const endedMs = clock.now();
        made.holdsUntilMs = endedMs + HOLDS_TIMES * (endedMs - nowMs);
      },
      () => pages.delete(format),
    );
    return made.answer;
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
