// What the samples of the overload say, in the terms of its chart. Pure.

import type { OpenRequest } from './harness/open-load.ts';
import type { OverloadSamples } from './samples.ts';
import { quantile } from './statistics.ts';

export interface OverloadSpan {
  /** Good answers a second. */
  readonly goodput: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface OverloadSecond {
  readonly atS: number;
  readonly answered: number;
  readonly shed: number;
  /** No reply, or another one than 200 and 503. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface OverloadSummary {
  readonly seconds: readonly OverloadSecond[];
  readonly before: OverloadSpan;
  /** All of the overload. */
  readonly during: OverloadSpan;
  /** The overload without its first two seconds, in which it is found out. */
  readonly settled: OverloadSpan;
  /** From the fifth second after the overload on. */
  readonly after: OverloadSpan;
}

const CONNECTING_MS = 2000;
const BEGINNING_MS = 2000;
const BACK_WITHIN_MS = 5000;
const OK = 200;
const SHED = 503;

export function overloadSummary({ requests, beginMs, endMs }: OverloadSamples): OverloadSummary {
  const lastMs = Math.max(0, ...requests.map(([dueMs]) => dueMs));
  const bySecond = Map.groupBy(requests, ([dueMs]) => Math.floor(dueMs / 1000));
  // Goodput counts answers when they come, whenever their requests were sent.
  const spanOf = (fromMs: number, toMs: number): OverloadSpan => {
    const times = timesOf(requests.filter(([dueMs]) => dueMs >= fromMs && dueMs < toMs));
    const answered = requests.filter(
      ([dueMs, tookMs, status]) => status === OK && dueMs + tookMs >= fromMs && dueMs + tookMs < toMs,
    );
    const goodput = (answered.length * 1000) / (toMs - fromMs);
    return { goodput, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  };
  return {
    seconds: Array.from({ length: Math.floor(lastMs / 1000) }, (_, second) =>
      secondOf(second, bySecond.get(second) ?? []),
    ),
    before: spanOf(CONNECTING_MS, beginMs),
    during: spanOf(beginMs, endMs),
    settled: spanOf(beginMs + BEGINNING_MS, endMs),
    after: spanOf(endMs + BACK_WITHIN_MS, lastMs),
  };
}

function secondOf(atS: number, own: readonly OpenRequest[]): OverloadSecond {
  const times = timesOf(own);
  const shed = own.filter(([, , status]) => status === SHED).length;
  const failed = own.length - times.length - shed;
  const at = (part: number) => (times.length === 0 ? 0 : quantile(times, part));
  return { atS, answered: times.length, shed, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function timesOf(requests: readonly OpenRequest[]): number[] {
  return requests.filter(([, , status]) => status === OK).map(([, tookMs]) => tookMs);
}
