// Members that are found: each source is asked at the start, and then again and again for as long as the balancer runs.
// An answer that does not come changes nothing: the last one holds. What an answer means for the seats, the core says.

import { wishFor } from '../../core/members/found.ts';
import type { Clock, Finding, FoundMember, MemberChange, Membership, Wish } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { within } from '../clock.ts';

/** Where services are looked up that somebody else runs. */
export interface Source extends Omit<Finding, 'source' | 'members'> {
  /** As a person writes it: `dns:app:80`. */
  readonly name: string;
  /** Resolves with what is there now. Rejects with the reason if nobody knows. */
  look(signal: AbortSignal): Promise<Sighting>;
}

export interface Sighting {
  readonly members: readonly FoundMember[];
  /** When it is worth asking again, in ms. */
  readonly againMs: number;
}

export interface FoundLimits {
  /** The most members that one source may have, and all together at the start. */
  readonly maxMembers: number;
  readonly maxPlace: number;
  /** How many places the ring has for them at the start. */
  readonly freePlaces: number;
}

// A name server that is gone costs two attempts of two seconds each.
const LONGEST_LOOK_MS = 6000;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

export class FoundMembers implements Membership {
  readonly #sources: readonly WatchedSource[];
  readonly #limits: FoundLimits;

  constructor(sources: readonly Source[], limits: FoundLimits, clock: Clock, log: Log) {
    this.#sources = sources.map((source) => new WatchedSource(source, limits, clock, log));
    this.#limits = limits;
  }

  /** Those that all sources list now. A source that does not answer is asked again later. */
  async first(): Promise<readonly Wish[]> {
    const { maxMembers, maxPlace, freePlaces } = this.#limits;
    const findings = await Promise.all(this.#sources.map((one) => one.look(new AbortController().signal)));
    const names = new Set<string>();
    let places = 0;
    return findings.flatMap((finding) => {
      const { source, weight, members = [] } = finding ?? {};
      return members.flatMap((member): Wish[] => {
        if (source === undefined || weight === undefined || member.address === undefined) return [];
        if (names.has(member.hostname) || names.size >= maxMembers || places + weight > freePlaces) return [];
        names.add(member.hostname);
        places += weight;
        return [wishFor({ ...member, address: member.address }, source, weight, maxPlace)];
      });
    });
  }

  watch(make: (change: MemberChange) => Promise<void>): () => void {
    const ended = new AbortController();
    for (const source of this.#sources) {
      void source.follow((finding) => make({ type: 'found', finding }), ended.signal);
    }
    return () => ended.abort();
  }
}

/** A source, and what the log knows of it. */
export class WatchedSource {
  readonly #source: Source;
  readonly #limits: Pick<FoundLimits, 'maxMembers'>;
  readonly #clock: Clock;
  readonly #log: Log;
  // Why the last look failed, and how many did in a row.
  #trouble: string | undefined;
  #failures = 0;
  #againMs = 0;
  #wasCut = false;

  constructor(source: Source, limits: Pick<FoundLimits, 'maxMembers'>, clock: Clock, log: Log) {
    this.#source = source;
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
  }

  /** Calls back with each finding, one after the other, until the signal aborts. */
  async follow(next: (finding: Finding) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(this.#againMs, signal).catch(() => undefined);
      const finding = signal.aborted ? undefined : await this.look(signal);
      if (finding === undefined || signal.aborted) continue;
      await next(finding);
    }
  }

  /** `undefined` if it is not known what is there. Never rejects. */
  async look(signal: AbortSignal): Promise<Finding | undefined> {
    const { name, weight, settleMs } = this.#source;
    const late = () => new Error(`no answer within ${LONGEST_LOOK_MS} ms`);
    try {
      const looking = (working: AbortSignal) => this.#source.look(working);
      const { members, againMs } = await within(this.#clock, LONGEST_LOOK_MS, looking, late, signal);
      if (members.length === 0) throw new Error('it lists nobody');
      this.#againMs = againMs;
      this.#tellFound(members.length);
      return { source: name, weight, settleMs, members: members.slice(0, this.#limits.maxMembers) };
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#failures += 1;
      this.#againMs = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (this.#failures - 1));
      const reason = describe(error);
      // The same trouble again is no news.
      if (reason !== this.#trouble) this.#log.warn('lookup-failed', { source: name, reason });
      this.#trouble = reason;
      return undefined;
    }
  }

  #tellFound(count: number): void {
    const { name } = this.#source;
    if (this.#trouble !== undefined) this.#log.info('lookup-restored', { source: name, members: count });
    this.#trouble = undefined;
    this.#failures = 0;
    const { maxMembers } = this.#limits;
    const isCut = count > maxMembers;
    if (isCut && !this.#wasCut) this.#log.warn('lookup-cut', { source: name, members: count, most: maxMembers });
    this.#wasCut = isCut;
  }
}
