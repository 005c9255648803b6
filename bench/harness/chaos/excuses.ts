// Which failures are nobody's fault, by what the balancer promises (lib/README.md, "A request" and "Errors"). Pure.
//
// A replica was well for a request if it served, and nothing befell it and nobody removed it, from a moment before the
// request was sent until it was over. An idempotent request whose body was kept (up to 64 KiB) may fail only
//   - if no replica was well for it, or as many were not as a request may try;
//   - if the head of a reply to it had come, or bytes that are none: that is not repeated;
//   - with 504, while some replica was silent: a request that was not answered in time is not repeated;
//   - while the process had no file descriptor;
//   - with its connection, when a worker ended;
//   - because of the budget of retries, if that was used up;
//   - because it was at replicas that ended, so that it may be what ends them;
//   - because the replicas could do no more, shortly after something that slowed them;
//   - with 504, while this machine did not run us, and so not the replicas either.
// Any other may fail with a replica or a worker that fails. Nothing may fail because of anything else that was done.

import type { Asked, Deed, Happening, History } from './history.ts';
import type { FaultKind } from './plan.ts';
import type { PromisedLimits, Rule } from './promises.ts';

type Fault = Extract<Happening, { is: 'fault' }>;

/** Faults that may cost a request which cannot be repeated. All others cost nobody anything. */
const MAY_COST: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...(['hang', 'refuse', 'reset-before', 'reset-interim', 'reset-head', 'reset-body', 'end-body'] as const),
  ...(['garbage', 'kill', 'stop', 'outage', 'worker-killed', 'descriptors-short', 'engine-killed'] as const),
]);
const SILENT: ReadonlySet<FaultKind> = new Set<FaultKind>(['hang', 'stop', 'engine-killed']);
/** Replicas end by these, by themselves or because they are given up. */
const ENDING: ReadonlySet<FaultKind> = new Set<FaultKind>(['kill', 'stop', 'refuse', 'engine-killed']);
/** All replicas at once. */
const OF_ALL: ReadonlySet<FaultKind> = new Set<FaultKind>(['outage', 'engine-killed']);
/** Besides whatever befalls a replica. */
const SLOWING: ReadonlySet<FaultKind> = new Set<FaultKind>(['outage', 'engine-killed', 'burst', 'slow-reader']);
/** The head of a reply had come, or bytes that are none. */
const BEGUN_REPLIES: ReadonlySet<string> = new Set(['reset-body', 'end-body', 'garbage']);
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);
/** Clients that do not wait for their reply. */
const LEAVERS: ReadonlySet<string> = new Set(['half-closed', 'left']);

// What is done and what comes of it are not at the same moment.
const MARGIN_MS = 100;
// A replica that broke may be found out, and its connections cut, so much later.
const AFTERMATH_MS = 1500;
// Missed heartbeats take their time.
const VERDICT_MS = 15_000;
const LAG_MS = 5000;
const BUDGET_MS = 10_000;
const SLOWED_MS = 10_000;

export class Excuses {
  readonly #faults: readonly Fault[];
  readonly #lives: readonly Life[];
  readonly #lags: readonly number[];
  readonly #byNonce: ReadonlyMap<string, readonly Deed[]>;
  readonly #repeats: readonly number[];
  readonly #limits: PromisedLimits;

  constructor(history: History, byNonce: ReadonlyMap<string, readonly Deed[]>, limits: PromisedLimits) {
    this.#faults = history.happenings.filter((one) => one.is === 'fault');
    this.#lags = history.happenings.flatMap((one) => (one.is === 'lag' ? [one.atMs] : []));
    this.#lives = livesOf(history);
    this.#byNonce = byNonce;
    this.#limits = limits;
    this.#repeats = [...byNonce.values()].flatMap((deeds) =>
      deeds
        .filter(({ is }) => is === 'begun')
        .slice(1)
        .map(({ atMs }) => atMs),
    );
  }

  /** The rule that a failed request breaks, or `undefined` if it may fail. */
  whyWrong(asked: Asked): Rule | undefined {
    if (LEAVERS.has(asked.way) || asked.outcome === 'unanswered') return undefined;
    const meanwhile = this.#faults.filter((fault) => overlaps(fault, asked.sentMs - AFTERMATH_MS, asked.endMs));
    if (this.#hadNoDescriptor(asked, meanwhile) || this.#lostItsWorker(asked, meanwhile)) return undefined;
    if (asked.status === 504 && this.#lagged(asked.sentMs, asked.endMs)) return undefined;
    const mayRepeat = IDEMPOTENT.has(asked.method) && asked.bytes <= this.#limits.keptBytes;
    if (mayRepeat && !this.#mayFail(asked, meanwhile)) return 'failed though one was well';
    const isCost = meanwhile.some(({ kind }) => MAY_COST.has(kind));
    return isCost || this.#wasShed(asked) || this.#wasSuspect(asked) ? undefined : 'failed without a fault';
  }

  /** Whether something explains that this replica was given up. */
  hasLost({ who, atMs, words }: { readonly who: string; readonly atMs: number; readonly words: string }): boolean {
    const fits = ({ kind, who: whom }: Fault) =>
      whom === who ||
      OF_ALL.has(kind) ||
      (kind === 'descriptors-short' && /EMFILE/.test(words)) ||
      // Then the engine cannot be reached, so none is started.
      (kind === 'events-cut' && /cannot create .* Docker does not run/.test(words));
    return (
      this.#faults.some((fault) => fits(fault) && overlaps(fault, atMs - VERDICT_MS, atMs)) ||
      this.#lagged(atMs - LAG_MS, atMs)
    );
  }

  #mayFail(asked: Asked, meanwhile: readonly Fault[]): boolean {
    const deeds = this.#byNonce.get(asked.nonce) ?? [];
    if (deeds.some((deed) => deed.is === 'spoilt' && BEGUN_REPLIES.has(deed.how))) return true;
    if (asked.outcome === 'cut' && this.#brokeAmid(asked, deeds)) return true;
    if (asked.status === 504 && meanwhile.some(({ kind }) => SILENT.has(kind))) return true;
    if (/too many requests are being repeated/.test(asked.words) && this.#budgetIsUsedUp(asked)) return true;
    if (this.#wasShed(asked) || this.#wasSuspect(asked)) return true;
    const befallen = new Set(meanwhile.flatMap(({ who }) => (who === '' ? [] : [who])));
    if (befallen.size >= this.#limits.maxAttempts) return true;
    return !this.#lives.some((life) => isWell(life, asked, this.#faults));
  }

  // A replica that something befell had not sent all of its reply.
  #brokeAmid({ sentMs, endMs }: Asked, deeds: readonly Deed[]): boolean {
    return deeds.some(({ is, life }) => {
      if (is !== 'begun' || deeds.some((deed) => deed.is === 'answered' && deed.life === life)) return false;
      const who = this.#lives.find((one) => one.life === life)?.who;
      return this.#faults.some((fault) => fault.who === who && overlaps(fault, sentMs - VERDICT_MS, endMs));
    });
  }

  #hadNoDescriptor({ sentMs, endMs }: Asked, meanwhile: readonly Fault[]): boolean {
    return meanwhile.some((fault) => fault.kind === 'descriptors-short' && overlaps(fault, sentMs - MARGIN_MS, endMs));
  }

  #lostItsWorker({ outcome }: Asked, meanwhile: readonly Fault[]): boolean {
    return outcome !== 'answered' && meanwhile.some(({ kind }) => kind === 'worker-killed');
  }

  // Refused or held back because it was at a replica that ended, and one did end.
  #wasSuspect({ words, sentMs, endMs }: Asked): boolean {
    const hasEnded = (fault: Fault) => ENDING.has(fault.kind) && overlaps(fault, sentMs - AFTERMATH_MS, endMs);
    return /replicas? that ended|replicas ended/.test(words) && this.#faults.some(hasEnded);
  }

  // Turned away because replicas could do no more, and there was a reason for that.
  #wasShed({ words, endMs }: Asked): boolean {
    if (!/more requests come than/.test(words)) return false;
    const isSlowing = ({ kind, who }: Fault) => who !== '' || SLOWING.has(kind);
    return (
      this.#lagged(endMs - SLOWED_MS, endMs) ||
      this.#faults.some((fault) => isSlowing(fault) && overlaps(fault, endMs - SLOWED_MS, endMs))
    );
  }

  #lagged(fromMs: number, toMs: number): boolean {
    return this.#lags.some((atMs) => atMs > fromMs && atMs <= toMs + MARGIN_MS);
  }

  #budgetIsUsedUp({ endMs }: Asked): boolean {
    // While all replicas are gone, repeats find nobody who would write them down, and are counted all the same.
    const hadNobody = (fault: Fault) => OF_ALL.has(fault.kind) && overlaps(fault, endMs - BUDGET_MS, endMs);
    if (this.#faults.some(hadNobody)) return true;
    const lately = this.#repeats.filter((atMs) => atMs > endMs - BUDGET_MS && atMs <= endMs).length;
    return lately >= this.#limits.leastRetriesPerSecond * (BUDGET_MS / 1000);
  }
}

interface Life {
  readonly life: string;
  readonly who: string;
  readonly servesMs: number;
  readonly endsMs: number;
}

function livesOf({ deeds, happenings }: History): Life[] {
  const ups = deeds.filter((deed) => deed.is === 'up');
  return ups.map(({ life, who, atMs }) => {
    const next = ups.filter((one) => one.who === who && one.atMs > atMs).map((one) => one.atMs);
    const bornAgainMs = Math.min(Number.POSITIVE_INFINITY, ...next);
    const inLife = (ms: number) => ms >= atMs && ms < bornAgainMs;
    const serves = happenings.find(
      (one) => one.is === 'log' && one.event === 'replica-serving' && one.who === who && inLife(one.atMs),
    );
    const ends = happenings.flatMap((one) => {
      if (one.is === 'removed' && one.who === who && inLife(one.askedMs)) return [one.askedMs];
      const isEnd = one.is === 'log' && (one.event === 'replica-lost' || one.event === 'replica-leaving');
      return isEnd && one.who === who && inLife(one.atMs) ? [one.atMs] : [];
    });
    const servesMs = serves?.is === 'log' ? serves.atMs : Number.POSITIVE_INFINITY;
    return { life, who, servesMs, endsMs: Math.min(bornAgainMs, ...ends) };
  });
}

function isWell({ who, servesMs, endsMs }: Life, { sentMs, endMs }: Asked, faults: readonly Fault[]): boolean {
  if (servesMs > sentMs - MARGIN_MS || endsMs < endMs + MARGIN_MS) return false;
  const isHit = (fault: Fault) => fault.who === who || OF_ALL.has(fault.kind);
  // What has befallen it is over only when the balancer has noticed that, too.
  return !faults.some((fault) => isHit(fault) && overlaps(fault, sentMs - AFTERMATH_MS, endMs + MARGIN_MS));
}

function overlaps({ beganMs, endedMs }: Fault, fromMs: number, toMs: number): boolean {
  return beganMs <= toMs && endedMs >= fromMs;
}
