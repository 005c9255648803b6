// Judges the history of a chaos run: what the clients were promised, against what the replicas did. Pure, so it may be
// asked again about a history that was kept, and made-up histories can be shown to it. excuses.ts says which failures
// are nobody's fault.

import { Excuses } from './excuses.ts';
import type { Asked, Deed, Happening, History } from './history.ts';
import type { Conviction, PromisedLimits, Rule } from './promises.ts';

const BUDGET_SPAN_MS = 5000;

export function judge(history: History, limits: PromisedLimits): Conviction[] {
  const byNonce = Map.groupBy(
    history.deeds.filter((deed) => deed.is !== 'up'),
    ({ nonce }) => nonce,
  );
  const excuses = new Excuses(history, byNonce, limits);
  return [
    ...history.asked.flatMap((asked) => judgeRequest(asked, byNonce.get(asked.nonce) ?? [], excuses)),
    ...judgeRemovals(history),
    ...judgeFleet(history.happenings, limits, excuses),
    ...judgeRepeats(history, byNonce, limits),
  ].sort((a, b) => a.atMs - b.atMs);
}

type DeedOfRequest = Exclude<Deed, { is: 'up' }>;

function judgeRequest(asked: Asked, deeds: readonly DeedOfRequest[], excuses: Excuses): Conviction[] {
  const found: Conviction[] = [];
  const convict = (rule: Rule, words: string) =>
    found.push({ rule, atMs: asked.endMs, words: `${describeAsked(asked)}: ${words}` });
  const begun = deeds.filter(({ is }) => is === 'begun');
  if (asked.method === 'POST' && begun.length > 1) {
    convict('executed twice', `begun by ${begun.map(({ life }) => life).join(' and ')}`);
  }
  for (const deed of deeds) {
    if (deed.is === 'executed' && (deed.bytes !== asked.bytes || deed.digest !== asked.digest)) {
      convict('body changed', `${deed.life} got ${deed.bytes} bytes of ${asked.bytes}, or others`);
    }
  }
  if (asked.outcome === 'timeout') convict('never over', 'the client gave up');
  const isGood = asked.outcome === 'answered' && asked.status < 400;
  if (isGood) found.push(...judgeReply(asked, deeds));
  else {
    if (asked.outcome === 'answered' && asked.method === 'POST' && asked.status === 503 && begun.length > 0) {
      convict('told that it may be repeated', `begun by ${begun[0]?.life}`);
    }
    if (asked.status === 500) convict('mistake', asked.words);
    const rule = excuses.whyWrong(asked);
    if (rule !== undefined) convict(rule, asked.words);
  }
  return found;
}

function judgeReply(asked: Asked, deeds: readonly DeedOfRequest[]): Conviction[] {
  const convict = (rule: Rule, words: string) => [
    { rule, atMs: asked.endMs, words: `${describeAsked(asked)}: ${words}` },
  ];
  if (asked.echo !== asked.nonce) return convict('reply to another', `the reply is for ${asked.echo || 'nobody'}`);
  const executed = deeds.find((deed) => deed.is === 'executed' && deed.life === asked.life);
  if (executed?.is !== 'executed') return convict('answered by nobody', `${asked.life} has not executed it`);
  const isSame = executed.replyBytes === asked.replyBytes && executed.replyDigest === asked.replyDigest;
  const words = `${asked.replyBytes} bytes of ${executed.replyBytes}, or others`;
  return isSame ? [] : convict('truncated reply', words);
}

function judgeRemovals({ deeds, happenings }: History): Conviction[] {
  const ups = deeds.filter((deed) => deed.is === 'up');
  return happenings.flatMap((removal) => {
    if (removal.is !== 'removed') return [];
    // A replica of that name that came up later is another one.
    const lives = new Set(
      ups.filter(({ who, atMs }) => who === removal.who && atMs < removal.askedMs).map(({ life }) => life),
    );
    return deeds
      .filter((deed) => deed.is === 'begun' && lives.has(deed.life) && deed.atMs > removal.atMs)
      .map(({ life, atMs }): Conviction => {
        const lateMs = Math.round(atMs - removal.atMs);
        return {
          rule: 'sent after the removal',
          atMs,
          words: `${life} got a request ${lateMs} ms after /rm was answered`,
        };
      });
  });
}

function judgeFleet(happenings: readonly Happening[], limits: PromisedLimits, excuses: Excuses): Conviction[] {
  return happenings.flatMap((one): Conviction[] => {
    if (one.is === 'fault') {
      const tookMs = (one.wholeMs ?? Number.POSITIVE_INFINITY) - one.endedMs;
      if (tookMs <= limits.wholeWithinMs) return [];
      const words = `after ${one.kind} ${one.who}: ${one.wholeMs === undefined ? 'never' : `${Math.round(tookMs)} ms`}`;
      return [{ rule: 'not whole in time', atMs: one.endedMs, words }];
    }
    if (one.is !== 'log') return [];
    const words = `${one.event} ${one.who}: ${one.words}`;
    if (one.event === 'uncaught') return [{ rule: 'mistake', atMs: one.atMs, words }];
    if (one.event !== 'replica-lost' || excuses.hasLost(one)) return [];
    return [{ rule: 'lost without a fault', atMs: one.atMs, words }];
  });
}

/**
 * In any span of five seconds no more attempts were repeated at other replicas than the budget allows, which counts
 * those of two windows of that length, and than are free, at replicas that are gone.
 */
function judgeRepeats(
  { asked }: History,
  byNonce: ReadonlyMap<string, readonly DeedOfRequest[]>,
  { retryBudget, leastRetriesPerSecond, freeRetries }: PromisedLimits,
): Conviction[] {
  const sent = asked.map(({ sentMs }) => sentMs).sort((a, b) => a - b);
  const repeats = [...byNonce.values()]
    .flatMap((deeds) => repeatsElsewhere(deeds.filter(({ is }) => is === 'begun')))
    .sort((a, b) => a - b);
  for (const [index, atMs] of repeats.entries()) {
    const inSpan = index - firstFrom(repeats, atMs - BUDGET_SPAN_MS) + 1;
    const requests = firstFrom(sent, atMs) - firstFrom(sent, atMs - 2 * BUDGET_SPAN_MS);
    const allowed = retryBudget * requests + (leastRetriesPerSecond * 2 * BUDGET_SPAN_MS) / 1000 + freeRetries;
    if (inSpan <= allowed) continue;
    const words = `${inSpan} in 5 s, with ${requests} requests in 10 s`;
    return [{ rule: 'repeated beyond the budget', atMs, words }];
  }
  return [];
}

// A connection that was kept may close; then the same replica is asked again, which is free.
function repeatsElsewhere(begun: readonly DeedOfRequest[]): number[] {
  const sorted = begun.toSorted((a, b) => a.atMs - b.atMs);
  return sorted.flatMap(({ life, atMs }, at) => (at > 0 && life !== sorted[at - 1]?.life ? [atMs] : []));
}

/** The place of the first that is not below `limit`, in a sorted list. */
function firstFrom(sorted: readonly number[], limit: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] as number) < limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

function describeAsked({ nonce, method, way, bytes, outcome, status, interim }: Asked): string {
  const told = outcome === 'answered' ? `${status}` : `${outcome}${status > 0 ? ` after ${status}` : ''}`;
  return `${nonce} ${method} of ${bytes} bytes, ${way}${interim ? ', after a 100' : ''}, ${told}`;
}
