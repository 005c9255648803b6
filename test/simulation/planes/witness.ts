// Watches both planes of a history: which plans hold where, who has free places since when, what the log says, and
// whether the promises are kept.

import assert from 'node:assert/strict';
import type { Route } from '../../../lib/core/fleet/fleet-state.ts';
import type { RoutingPlan } from '../../../lib/core/routing-plan.ts';
import type { AdjustableLog } from '../../../lib/log.ts';
import { incarnationAt } from '../machine.ts';
import type { Dialled } from '../network/virtual-network.ts';
import {
  checkBroken,
  checkBudget,
  checkFailure,
  checkNoneAfterReply,
  checkReply,
  checkSentOnce,
  checkWait,
  type Free,
  type Places,
  type Promised,
} from './invariants.ts';
import { type Asked, type Attempt, type Journal, nonceIn } from './journal.ts';

/** What the planes count together. */
export interface Gauge {
  /** Requests in flight at a replica. */
  inFlightOf(incarnation: number): number;
}

const LOOK_MS = 100;
const LOG_MS = 10;

export class Witness {
  readonly #journal: Journal;
  readonly #promised: Promised;
  readonly #now: () => number;
  readonly #note: (what: () => string) => void;
  gauge: Gauge = { inFlightOf: () => 0 };
  /** The plan that was published last. */
  latest: RoutingPlan | undefined;
  /** The plan that holds in all threads. */
  held: RoutingPlan | undefined;
  /** The data plane is being closed, so that no replica gets requests whatever the plan says. */
  isClosing = false;
  /** Threads that have ended: what they had is lost. */
  readonly ended = new Set<number>();
  /** By thread: the plan that it goes by. */
  readonly #planOf = new Map<number, RoutingPlan>();
  readonly #drained = new Set<number>();
  readonly #open = new Set<Asked>();
  readonly #judged = new Set<number>();
  readonly #endedInLog = new Set<number>();
  /** Incarnations that no plan has any more, so that what they had was cut. */
  readonly #cut = new Set<number>();
  #places: Places = { free: new Map(), ready: new Map() };
  /** Since when replicas have been leaving. */
  readonly #drainingSinceMs = new Map<number, number>();
  // Requests that must be over by a time, in its order.
  readonly #expected: { readonly asked: Asked; readonly last: Attempt; readonly why: string; readonly byMs: number }[] =
    [];
  #lookedMs = 0;
  #seen: { latest: RoutingPlan | undefined; held: RoutingPlan | undefined; bits: number } = {
    ...{ latest: undefined, held: undefined, bits: 0 },
  };

  constructor(journal: Journal, promised: Promised, now: () => number, note: (what: () => string) => void) {
    this.#journal = journal;
    this.#promised = promised;
    this.#now = now;
    this.#note = note;
  }

  /** The log of both planes. */
  readonly log: AdjustableLog = {
    ...{ level: 'debug', writesDebug: true },
    error: (event, details) => this.#onLog(event, details),
    warn: (event, details) => this.#onLog(event, details),
    info: (event, details) => this.#onLog(event, details),
    debug: (event, details) => this.#onLog(event, details),
  };

  /** A client begins to send a request. */
  onAsked(asked: Asked): void {
    this.#open.add(asked);
  }

  /** That plan has come to that thread. */
  onPlan(thread: number, plan: RoutingPlan): void {
    this.#planOf.set(thread, plan);
  }

  /** A new plan is on its way. */
  onPublished(plan: RoutingPlan): void {
    this.#note(() => {
      const routes = plan.routes.map(
        (one) => `${one.replica.seat}=${one.replica.incarnation}${one.suspected ? '?' : ''}`,
      );
      const list = (all: readonly { incarnation: number }[]) => all.map(({ incarnation }) => incarnation).join(', ');
      return `plan ${plan.version}: ${routes.join(', ')}; draining: ${list(plan.draining)}; resting: ${list(plan.resting)}`;
    });
    if (this.latest !== undefined) {
      assert(plan.version > this.latest.version, `plan ${plan.version} comes after plan ${this.latest.version}`);
      const stays = incarnationsOf(plan);
      for (const incarnation of incarnationsOf(this.latest)) if (!stays.has(incarnation)) this.#cut.add(incarnation);
    }
    for (const { incarnation } of plan.draining) {
      if (!this.#drainingSinceMs.has(incarnation)) this.#drainingSinceMs.set(incarnation, this.#now());
    }
    this.latest = plan;
    this.#look();
  }

  /** That plan holds everywhere, if none has come after it. */
  onHeld(plan: RoutingPlan): void {
    if (this.held === undefined || plan.version > this.held.version) this.held = plan;
    this.#look();
  }

  /** The data plane says that nothing is left at that replica. */
  onDrained(incarnation: number): void {
    this.#note(() => `${incarnation} is drained`);
    const route = this.latest?.routes.find(({ replica }) => replica.incarnation === incarnation);
    assert(route === undefined || this.isClosing, `${incarnation} is told to be drained while it is routed to`);
    this.#drained.add(incarnation);
    // What was cut there may wait for another place.
    if (!this.#cut.has(incarnation)) this.#expectEnd(incarnation, 'is drained');
  }

  /** A replica that leaves is ended. @param drains it has had time to finish what it had. */
  onStop(incarnation: number, drains: boolean, graceMs: number): void {
    const isOver = this.#now() - (this.#drainingSinceMs.get(incarnation) ?? this.#now()) >= graceMs;
    if (drains && !isOver && !this.isClosing) this.#expectEnd(incarnation, 'is stopped in order');
  }

  /** A thread writes to a replica. */
  onWrite({ address, number, thread }: Dialled, text: string): void {
    const incarnation = incarnationAt(address);
    assert(!this.#drained.has(incarnation), `something is sent to ${incarnation}, which is drained`);
    const nonce = nonceIn(text);
    if (nonce === undefined) return;
    const route = this.#planOf.get(thread)?.routes.find(({ replica }) => replica.incarnation === incarnation);
    assert(route !== undefined, `${nonce} is sent to ${incarnation}, which is not in the plan of thread ${thread}`);
    const asked = this.#journal.asked.get(nonce);
    assert(asked !== undefined, `${nonce} is sent to ${incarnation}, and nobody asked for it`);
    const before = asked.attempts.at(-1);
    const { seat } = route.replica;
    this.#journal.attempt({ nonce, incarnation, seat, thread, connection: number, atMs: this.#now() });
    this.#note(() => `${nonce} goes to ${incarnation} on connection ${number} of thread ${thread}`);
    checkNoneAfterReply(asked, before);
    // What was not sent at all may also be repeated when a replica is back, and what was at one that is gone adds no
    // load.
    const isCounted = before?.isHeard === true && !before.isReused && isRouted(this.latest, before.incarnation);
    if (isCounted) {
      this.#journal.countedMs.push(this.#now());
      checkBudget(this.#journal, this.#promised, this.#now());
    }
    assert(asked.outcome === undefined || asked.isDoubtful, `${nonce} is sent though it is over`);
  }

  /** Called after each moment. */
  onMoment(): void {
    this.#look();
    const nowMs = this.#now();
    this.#checkEnds(nowMs);
    if (nowMs < this.#lookedMs + LOOK_MS) return;
    this.#lookedMs = nowMs;
    for (const asked of this.#open) {
      if (asked.outcome !== undefined) this.#judge(asked);
      else if (
        this.#promised.overloadWaitMs === Number.POSITIVE_INFINITY &&
        !asked.isDoubtful &&
        !asked.offers &&
        asked.bodyBytes === 0 &&
        !this.#endedInLog.has(asked.nonce)
      )
        checkWait(asked, this.#places, nowMs);
    }
  }

  /** Nothing is under way any more. */
  checkRest(): void {
    this.#lookedMs = Number.NEGATIVE_INFINITY;
    this.onMoment();
    for (const { nonce, outcome, attempts, isDoubtful } of this.#journal.asked.values()) {
      assert(outcome !== undefined || isDoubtful, `${nonce} has no end`);
      const isLost = attempts.some(({ thread }) => this.ended.has(thread));
      if (attempts.length > 0 && !isLost) assert(this.#endedInLog.has(nonce), `${nonce} has no end in the log`);
    }
    const version = this.latest?.version;
    assert.equal(this.held?.version, version, 'the plan that was published last does not hold');
    for (const [thread, plan] of this.#planOf) {
      assert(
        plan.version === version || this.ended.has(thread),
        `thread ${thread} goes by plan ${plan.version} of ${version}`,
      );
    }
  }

  /** What is known of the places, to be told. */
  get places(): string {
    const { routes = [] } = this.latest ?? {};
    return routes
      .map(({ replica: { seat, incarnation } }) => `${seat}=${incarnation} has ${this.gauge.inFlightOf(incarnation)}`)
      .join(', ');
  }

  #look(): void {
    const routes = this.latest?.routes ?? [];
    const { maxInFlight } = this.#promised;
    // Nobody goes anywhere during a pause.
    const isPaused = this.latest?.isPaused === true || this.held?.isPaused === true;
    let bits = 0;
    for (const [index, { replica }] of routes.entries()) {
      const inFlight = this.gauge.inFlightOf(replica.incarnation);
      const isKept = inFlight >= 0 && inFlight <= maxInFlight;
      if (!isKept) assert.fail(`${replica.incarnation} has ${inFlight} in flight, and may have ${maxInFlight}`);
      if (inFlight < maxInFlight && !isPaused) bits |= 1 << index;
    }
    // Most moments change nothing.
    const { latest, held } = this;
    if (latest === this.#seen.latest && held === this.#seen.held && bits === this.#seen.bits) return;
    this.#seen = { latest, held, bits };
    const isHeld = new Set(held?.routes.map(({ replica }) => replica.incarnation));
    const free = routes.filter(({ replica }, index) => (bits & (1 << index)) !== 0 && isHeld.has(replica.incarnation));
    const ready = free.filter(({ suspected }) => !suspected);
    this.#places = { free: this.#since(free, this.#places.free), ready: this.#since(ready, this.#places.ready) };
  }

  #since(routes: readonly Route[], before: ReadonlyMap<number, Free>): Map<number, Free> {
    const since = this.#now();
    return new Map(
      routes.map(({ replica: { seat, incarnation } }) => [
        incarnation,
        before.get(incarnation) ?? { seat, sinceMs: since },
      ]),
    );
  }

  // What is under way at that replica must be over, as soon as what the log says of it has come from its worker.
  #expectEnd(incarnation: number, why: string): void {
    for (const asked of this.#open) {
      const last = asked.attempts.at(-1);
      if (last?.incarnation !== incarnation || asked.isDoubtful || /stream|tunnel/.test(last.how)) continue;
      if (!last.isHeard || last.isGone) continue;
      this.#expected.push({ asked, last, why, byMs: this.#now() + LOG_MS });
    }
  }

  #checkEnds(nowMs: number): void {
    for (let first = this.#expected[0]; first !== undefined && first.byMs < nowMs; first = this.#expected[0]) {
      this.#expected.shift();
      const { asked, last, why } = first;
      const isOver = this.#endedInLog.has(asked.nonce) || asked.attempts.at(-1) !== last || this.ended.has(last.thread);
      assert(isOver, `${last.incarnation} ${why}, and request ${asked.nonce} is under way there`);
    }
  }

  #onLog(event: string, details: Readonly<Record<string, unknown>> = {}): void {
    const { url, code, reason } = details;
    const nonce = typeof url === 'string' ? nonceIn(`GET ${url}`) : undefined;
    const asked = nonce === undefined ? undefined : this.#journal.asked.get(nonce);
    if (event !== 'request') this.#note(() => `${event} ${JSON.stringify(details)}`);
    if (asked === undefined || nonce === undefined) return;
    assert(!this.#endedInLog.has(nonce), `${nonce} has ended twice`);
    this.#endedInLog.add(nonce);
    if (event === 'request-failed' && asked.attempts.length > 0) this.#journal.failuresMs.push(this.#now());
    if (event === 'request-failed') asked.failure = { code: String(code), reason: String(reason) };
    if (event === 'request-failed' && !asked.isDoubtful) this.#judgeFailure(asked);
  }

  #judgeFailure(asked: Asked): void {
    if (asked.attempts.some(({ thread }) => this.ended.has(thread))) return;
    this.#look();
    checkFailure({ ...asked, endedMs: this.#now() }, this.#journal, this.#promised, this.#places);
  }

  #judge(asked: Asked): void {
    if (this.#judged.has(asked.nonce)) return;
    // An entry of the log may be on its way from a worker.
    if (this.#now() < (asked.endedMs ?? 0) + LOOK_MS) return;
    this.#judged.add(asked.nonce);
    this.#open.delete(asked);
    checkSentOnce(asked);
    checkReply(asked, this.#journal);
    const isCut = ({ incarnation, thread }: Attempt) => this.#cut.has(incarnation) || this.ended.has(thread);
    if (this.ended.size === 0 && !this.isClosing) checkBroken(asked, isCut);
  }
}

function incarnationsOf(plan: RoutingPlan | undefined): Set<number> {
  const { routes = [], resting = [], draining = [] } = plan ?? {};
  const all = [...routes.map(({ replica }) => replica), ...resting, ...draining];
  return new Set(all.map(({ incarnation }) => incarnation));
}

// It takes requests, or may again.
function isRouted(plan: RoutingPlan | undefined, incarnation: number): boolean {
  const { routes = [], resting = [] } = plan ?? {};
  return [...routes.map(({ replica }) => replica), ...resting].some((one) => one.incarnation === incarnation);
}
