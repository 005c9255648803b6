// Finds the request that kills whoever gets it. When a replica ends unasked, the requests that it had are suspects; one
// that was at a second replica that ended, with no other suspect beside it, is convicted and refused for a while.
// suspects.ts has what is noted, and sends suspects alone, so that a second death says who it was: at most two
// replicas are lost to one request. (More, if it was under way at several replicas before the first one ended: all of
// these, and one.)
//
// Once it is known who it was, the deaths that it was at are explained, and all others that were there are cleared. A
// death at which several suspects were convicts nobody.

import { DOUBT_KEPT_MS, type Note, SUSPECT_KEPT_MS, type Suspects } from './suspects.ts';

/** One request that is refused. */
export interface Quarantined {
  readonly fingerprint: number;
  /** What is asked, for people. */
  readonly request: string;
  readonly untilMs: number;
  /** How many replicas ended that had it. */
  readonly replicas: number;
}

/** Requests that kill replicas, as the data plane knows them now. */
export interface Poison {
  /** How many requests were at a replica that ended, or seems to have, and have not been answered since. */
  readonly suspects: number;
  /** Those that are refused, with how many replicas ended that had them, and for how long they still are. */
  readonly quarantined: readonly { readonly request: string; readonly replicas: number; readonly leftMs: number }[];
  /** Replicas that were lost to requests that were found out, since the start. */
  readonly replicasLost: number;
}

export const NO_POISON: Poison = { suspects: 0, quarantined: [], replicasLost: 0 };

export type PoisonNews =
  /** Requests that were at a replica that ended, and have not been answered since. */
  | { readonly type: 'suspected'; readonly incarnation: number; readonly requests: readonly string[] }
  | { readonly type: 'quarantined' | 'quarantine-ended'; readonly one: Quarantined };

// A thread may be late to note what it lost, the last connections to a replica that is gone are cut after 100 ms, and
// an answer may be on its way.
const SETTLE_MS = 150;
// So long one that was alone waits for others to be cleared that were at the same two replicas.
const UNCLEAR_MS = 3000;
const MOST_DEATHS = 256;

interface Death {
  readonly atMs: number;
  isTold: boolean;
  /** It is known which request it was. */
  isExplained: boolean;
}

export class PoisonJudge {
  readonly #suspects: Suspects;
  /** By incarnation, the oldest first. Plans tell each one again and again. */
  readonly #deaths = new Map<number, Death>();
  readonly #quarantined = new Map<number, Quarantined>();
  #replicasLost = 0;

  constructor(suspects: Suspects) {
    this.#suspects = suspects;
  }

  get quarantined(): readonly Quarantined[] {
    return [...this.#quarantined.values()];
  }

  /** How many requests are suspects now, and how many replicas were lost to those that were convicted so far. */
  get counts(): { readonly suspects: number; readonly replicasLost: number } {
    const suspects = new Set(this.#suspects.notes().map(({ fingerprint }) => fingerprint));
    return { suspects: suspects.size, replicasLost: this.#replicasLost };
  }

  /** Nothing is left to judge, and nothing to forget. */
  get isIdle(): boolean {
    return this.#suspects.isQuiet && this.#quarantined.size === 0 && this.#deaths.values().every((one) => one.isTold);
  }

  /** That replica has ended, or hung, and nobody here wanted that. May be told again. */
  ended(incarnation: number, nowMs: number): void {
    if (this.#deaths.has(incarnation)) return;
    this.#deaths.set(incarnation, { atMs: nowMs, isTold: false, isExplained: false });
    for (const oldest of this.#deaths.keys()) {
      if (this.#deaths.size <= MOST_DEATHS) break;
      this.#deaths.delete(oldest);
    }
  }

  /** That replica is well, though a connection to it broke. */
  lives(incarnation: number): void {
    for (const note of this.#suspects.notes()) {
      if (note.incarnation === incarnation && note.verdict === 'unknown') this.#suspects.decide(note.slot, 'lives');
    }
  }

  /**
   * Judges what is known by now. Call it a few dozen times a second while it is not idle.
   * @param quarantineMs how long one is refused. 0: nobody is, nor suspected.
   */
  advance(nowMs: number, quarantineMs: number): PoisonNews[] {
    const news = this.#endThoseOver(nowMs, quarantineMs);
    this.#forget(nowMs, quarantineMs);
    for (const { slot, incarnation, verdict } of this.#suspects.notes()) {
      if (verdict !== 'ended' && this.#deaths.has(incarnation)) this.#suspects.decide(slot, 'ended');
    }
    for (const accused of this.#suspects.notes()) {
      if (!accused.wasAlone || accused.verdict !== 'ended') continue;
      const convicted = this.#judge(accused, nowMs, nowMs + quarantineMs);
      if (convicted !== undefined) news.push({ type: 'quarantined', one: convicted });
    }
    for (const [incarnation, death] of this.#deaths) {
      if (death.isTold || nowMs - death.atMs < SETTLE_MS) continue;
      death.isTold = true;
      const requests = this.#notesAt(incarnation).map(({ label }) => label);
      if (requests.length > 0) news.push({ type: 'suspected', incarnation, requests });
    }
    return news;
  }

  // Decides about a request that was alone at a replica that ended. Waits while that may become clearer: what became of
  // the replica before may be learnt later, and whoever else was at both may be answered elsewhere.
  #judge(accused: Note, nowMs: number, untilMs: number): Quarantined | undefined {
    const { fingerprint, incarnation } = accused;
    const agoMs = nowMs - (this.#deaths.get(incarnation)?.atMs ?? Number.NEGATIVE_INFINITY);
    if (agoMs < SETTLE_MS) return undefined;
    const elsewhere = this.#suspects.notes().filter((one) => one.incarnation !== incarnation);
    const isOpen = elsewhere.some((one) => one.fingerprint === fingerprint && one.verdict === 'unknown');
    const before = new Set(elsewhere.filter(({ verdict }) => verdict === 'ended').map((one) => one.fingerprint));
    const there = this.#notesAt(incarnation);
    // Two threads may have noted the same.
    const seenTwice = new Set(there.map((one) => one.fingerprint)).intersection(before);
    if (!isOpen && before.has(fingerprint) && seenTwice.size === 1) return this.#convict(accused, untilMs);
    const mayBecomeClear = isOpen || (before.has(fingerprint) && agoMs < UNCLEAR_MS);
    if (!mayBecomeClear) for (const { slot } of there) this.#suspects.forgive(slot);
    return undefined;
  }

  #convict({ fingerprint, label }: Note, untilMs: number): Quarantined | undefined {
    const explained = this.#suspects
      .notes()
      .filter((one) => one.fingerprint === fingerprint && one.verdict === 'ended')
      .map(({ incarnation }) => incarnation);
    if (!this.#suspects.quarantine(fingerprint, untilMs)) return undefined;
    for (const incarnation of explained) {
      const death = this.#deaths.get(incarnation);
      if (death !== undefined) death.isExplained = true;
      for (const { slot } of this.#notesAt(incarnation)) this.#suspects.drop(slot);
    }
    const one = { fingerprint, request: label, untilMs, replicas: explained.length };
    this.#quarantined.set(fingerprint, one);
    this.#replicasLost += explained.length;
    return one;
  }

  #endThoseOver(nowMs: number, quarantineMs: number): PoisonNews[] {
    const news: PoisonNews[] = [];
    for (const [fingerprint, one] of this.#quarantined) {
      if (nowMs < one.untilMs && quarantineMs > 0) continue;
      this.#suspects.lift(fingerprint);
      this.#quarantined.delete(fingerprint);
      news.push({ type: 'quarantine-ended', one });
    }
    return news;
  }

  #forget(nowMs: number, quarantineMs: number): void {
    for (const { slot, incarnation, atMs, verdict } of this.#suspects.notes()) {
      const keptMs = quarantineMs === 0 ? 0 : verdict === 'ended' ? SUSPECT_KEPT_MS : DOUBT_KEPT_MS;
      const isExplained = this.#deaths.get(incarnation)?.isExplained === true;
      if (isExplained || nowMs - atMs >= keptMs) this.#suspects.drop(slot);
    }
  }

  #notesAt(incarnation: number): Note[] {
    return this.#suspects.notes().filter((one) => one.incarnation === incarnation && one.verdict === 'ended');
  }
}
