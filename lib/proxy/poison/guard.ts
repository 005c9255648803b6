// Keeps requests that may kill replicas apart, in one thread: notes which requests a replica had when its connection
// broke, and says of each request how it may go on. lib/core/request/suspects.ts has the rules, and what all threads
// know; watch.ts has the judge. While nothing is noted, a request costs two looks at one cell.

import type { Clock, ReplicaRef } from '../../core/ports.ts';
import { fingerprint } from '../../core/request/fingerprint.ts';
import { NO_POISON, type Poison } from '../../core/request/poison.ts';
import { HANG_DOUBT_MS, SUSPECTS_BYTES, Suspects } from '../../core/request/suspects.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { RoutingPlan } from '../../core/routing-plan.ts';
import { BalancerError, type ErrorCode } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import { originForm, pathOf } from '../../http/target.ts';
import type { PlanePorts } from '../ports.ts';
import type { Lease } from '../replicas/lease.ts';
import type { SeatClaims } from '../replicas/routing-table.ts';
import { PoisonWatch } from './watch.ts';

/** What is known of one request, once it was asked for. */
export interface Suspicion {
  readonly fingerprint: number;
  /** Since when it has been held back, by the clock; `undefined` if it was not. */
  heldBackMs: number | undefined;
  /** It is under way alone: nowhere else, and at that seat with no other suspect. */
  aloneAt: SeatId | undefined;
}

/** A request, as its exchange has it. */
export interface Risk {
  readonly request: { readonly method?: string | undefined; readonly url?: string | undefined };
  readonly requestId: number;
  readonly key: Key;
  readonly head: RequestHead;
  /** `whole`: the body in pieces, if all of it is here and kept. */
  readonly body: { readonly whole: readonly Uint8Array[] | undefined };
  readonly times: { readonly answeredMs: number };
  suspicion: Suspicion | undefined;
}

/** How a request may be sent: like any other, alone, or not yet. */
export type Admission = 'free' | 'alone' | 'not-yet';

type GuardPorts = Pick<PlanePorts, 'shared' | 'clock' | 'log'>;

interface GuardLimits {
  readonly quarantineMs: number;
  readonly queueTimeoutMs: number;
}

// An attempt that was given up while a replica had it.
interface GivenUp {
  readonly replica: ReplicaRef;
  readonly fingerprint: number;
  readonly label: string;
  readonly atMs: number;
}

// A reply that has gone on for this long, in ms, is taken for an answer: a download or a slow query need not end before
// others may go to its replica, and did not kill it at once.
const BEGUN_MS = 1000;
// What has waited this long for other suspects, in ms, waits no longer, unless it was at two replicas that ended.
const PATIENCE_MS = 2000;
const MOST_GIVEN_UP = 64;
const GIVEN_UP_KEPT_MS = 30_000;

export class Guard implements SeatClaims {
  readonly suspects: Suspects;
  readonly #clock: Clock;
  readonly #limits: GuardLimits;
  // A replica that hangs is convicted by its heartbeats long after clients have left.
  readonly #givenUp: GivenUp[] = [];
  readonly #onReleased: () => void;
  // Only where the memory is this thread's own: the threads that share one have one judge.
  readonly #watch: PoisonWatch | undefined;

  /** @param onReleased called when others that wait may go on. */
  constructor({ shared, clock, log }: GuardPorts, limits: GuardLimits, onReleased: () => void) {
    const given = shared?.suspects;
    this.suspects = given ?? new Suspects(new ArrayBuffer(SUSPECTS_BYTES), 0);
    this.#clock = clock;
    this.#limits = limits;
    this.#onReleased = onReleased;
    if (given === undefined) this.#watch = new PoisonWatch(this.suspects, clock, log);
  }

  get poison(): Poison {
    return this.#watch?.now ?? NO_POISON;
  }

  get isQuiet(): boolean {
    return this.suspects.isQuiet;
  }

  /**
   * How a request may be sent now. If alone, `placed` must be called next. Throws `poison` if it is refused.
   * @param cannotWait it was not sent when it asked before, and could not wait. Then it goes on like any other, unless
   * it was at two replicas that ended.
   */
  admit(risk: Risk, cannotWait: boolean): Admission {
    const nowMs = this.#clock.now();
    const suspicion = suspicionOf(risk);
    const standing = this.suspects.standing(suspicion.fingerprint, nowMs);
    if (typeof standing === 'number') throw refusal(standing - nowMs);
    if (standing === 'free') return 'free';
    suspicion.heldBackMs ??= nowMs;
    if (standing === 'held') return 'not-yet';
    if (cannotWait) return standing === 'alone' ? 'free' : 'not-yet';
    const patienceMs = Math.min(PATIENCE_MS, this.#limits.queueTimeoutMs / 2);
    if (standing === 'alone' && nowMs - suspicion.heldBackMs > patienceMs) return 'free';
    return this.suspects.claim(suspicion.fingerprint, nowMs) ? 'alone' : 'not-yet';
  }

  claimSeat(replica: ReplicaRef): boolean {
    return this.suspects.claimSeat(replica, this.#clock.now());
  }

  releaseSeat(seat: SeatId): void {
    this.suspects.releaseSeat(seat);
  }

  /** A request that may be sent alone goes to that seat, which is claimed, or nowhere now. */
  placed(risk: Risk, seat: SeatId | undefined): void {
    const suspicion = suspicionOf(risk);
    suspicion.aloneAt = seat;
    if (seat === undefined) this.suspects.release(suspicion.fingerprint);
  }

  /** The connection to the replica broke under the request. */
  lost(risk: Risk, { lessor, connected, isStream }: Lease, code: ErrorCode, isTunnel: boolean): void {
    const { answeredMs } = risk.times;
    const isAnswered = isStream || isTunnel || (answeredMs > 0 && performance.now() - answeredMs > BEGUN_MS);
    // A request that was not sent killed nobody, and what this machine lacks says nothing about the replica.
    const isSuspect = connected && !isAnswered && code !== 'overloaded' && this.#limits.quarantineMs > 0;
    if (isSuspect) this.#note(risk, lessor.replica);
    this.#release(risk);
  }

  /** A replica has answered the request. */
  answered(risk: Risk): void {
    if (!this.isQuiet) this.suspects.answered(suspicionOf(risk).fingerprint);
    this.#release(risk);
  }

  /** The reply goes on. Called a few times a second. */
  replies(risk: Risk): void {
    if (isAlone(risk) && performance.now() - risk.times.answeredMs > BEGUN_MS) this.answered(risk);
  }

  /** The request is over without a whole answer. @param lease by which a replica had it, if none has answered. */
  over(risk: Risk, lease: Lease | undefined): void {
    if (lease?.connected === true && this.#limits.quarantineMs > 0) {
      const { replica } = lease.lessor;
      if (isAlone(risk)) this.#note(risk, replica, HANG_DOUBT_MS);
      const atMs = this.#clock.now();
      this.#givenUp.push({ replica, fingerprint: suspicionOf(risk).fingerprint, label: labelOf(risk), atMs });
      if (this.#givenUp.length > MOST_GIVEN_UP) this.#givenUp.shift();
    }
    this.#release(risk);
  }

  onPlan(plan: Pick<RoutingPlan, 'ended' | 'routes' | 'traffic'>): void {
    if (plan.ended !== undefined && this.#givenUp.length > 0) this.#accuse(plan.ended);
    this.#watch?.onPlan(plan);
  }

  close(): void {
    this.#watch?.close();
  }

  // Those replicas ended, or hung. Requests that were given up there may have been why.
  #accuse(ended: readonly number[]): void {
    const nowMs = this.#clock.now();
    const left = this.#givenUp.filter(({ replica, fingerprint: number, label, atMs }) => {
      if (!ended.includes(replica.incarnation)) return true;
      const { incarnation } = replica;
      const note = { fingerprint: number, incarnation, atMs: nowMs, wasAlone: false, label };
      if (nowMs - atMs <= GIVEN_UP_KEPT_MS) this.suspects.note(note);
      return false;
    });
    this.#givenUp.splice(0, this.#givenUp.length, ...left);
  }

  #note(risk: Risk, { incarnation }: ReplicaRef, doubtMs?: number): void {
    const { fingerprint: number } = suspicionOf(risk);
    const [atMs, wasAlone, label] = [this.#clock.now(), isAlone(risk), labelOf(risk)];
    this.suspects.note({ fingerprint: number, incarnation, atMs, wasAlone, label }, doubtMs);
  }

  #release({ suspicion }: Risk): void {
    if (suspicion?.aloneAt === undefined) return;
    this.suspects.release(suspicion.fingerprint);
    this.releaseSeat(suspicion.aloneAt);
    suspicion.aloneAt = undefined;
    this.#onReleased();
  }
}

function refusal(leftMs: number): BalancerError {
  const leftS = Math.ceil(leftMs / 1000);
  return new BalancerError(
    'poison',
    `this request was in flight at two replicas that ended, so it is not sent to another one for ${leftS} s`,
    { leastS: leftS },
  );
}

// Without the query, which may hold secrets: everybody may see the dashboard.
function labelOf({ request: { method = '', url = '' } }: Risk): string {
  return `${method} ${pathOf(url)}${url.includes('?') ? '?...' : ''}`;
}

function isAlone({ suspicion }: Risk): boolean {
  return suspicion?.aloneAt !== undefined;
}

// The body counts if the replica is asked when all of it is here, and it is kept. Of all others, only how long they are
// said to be. So the number is the same before the first attempt and after the last.
function suspicionOf(risk: Risk): Suspicion {
  if (risk.suspicion !== undefined) return risk.suspicion;
  const { head, key, requestId, request } = risk;
  const body = head.expectsContinue ? undefined : risk.body.whole;
  const number = fingerprint({
    method: request.method ?? '',
    target: originForm(request.url ?? ''),
    key: key === requestId ? undefined : key,
    body: body ?? [],
    mark: body === undefined ? -1 - head.lengthBytes : 0,
  });
  risk.suspicion = { fingerprint: number, heldBackMs: undefined, aloneAt: undefined };
  return risk.suspicion;
}
