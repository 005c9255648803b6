// What a data plane goes by to find the keys of requests, made anew when the settings change.

import type { KeyFinding } from '../../core/keys/key-finding.ts';
import { writeKeySpec } from '../../core/keys/key-spec.ts';
import { LEARNED_BYTES, LearnedSeats } from '../../core/keys/learned-seats.ts';
import { goesByRequestId, type KeyFunction } from '../../core/request/key-source.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import { CookieLearner } from './cookie-learner.ts';
import type { KeyedRequest } from './head-texts.ts';
import { type CookieIssuer, cookieIssuer } from './issued-cookies.ts';
import { type KeyReader, keyReader } from './key-reader.ts';

export class Keys {
  readonly #limits: ProxyLimits;
  readonly #own: KeyFunction | undefined;
  #given: string | undefined;
  #read: KeyReader;
  #cookies: CookieIssuer | undefined;
  #learned: LearnedSeats | undefined;
  #learner: CookieLearner | undefined;

  /**
   * @param own what the source `function` stands for.
   * @param learned what threads have learned in common; by default this thread remembers what it learns itself.
   * @param given what another process had learned, in base64.
   */
  constructor(limits: ProxyLimits, own: KeyFunction | undefined, learned?: LearnedSeats, given?: string) {
    this.#limits = limits;
    this.#own = own;
    this.#learned = learned;
    this.#given = given;
    this.#read = keyReader(limits.key, own);
    this.#cookies = cookieIssuer(limits);
    this.#learner = this.#makeLearner();
  }

  /** `--key` as it is written; `undefined` if requests go by their ids. */
  get source(): string | undefined {
    return goesByRequestId(this.#limits.key) ? undefined : writeKeySpec(this.#limits.key);
  }

  /** Learns from replies; `undefined` if nothing is to be learned. */
  get learner(): CookieLearner | undefined {
    return this.#learner;
  }

  /** Call it when the limits have changed. */
  settingsChanged(): void {
    this.#read = keyReader(this.#limits.key, this.#own);
    this.#cookies = cookieIssuer(this.#limits);
    this.#learner = this.#makeLearner();
  }

  /** @param trusted the request comes from a proxy whose word is taken. */
  of(request: KeyedRequest, clientAddress: string, trusted: boolean): KeyFinding {
    const found = this.#read(request, clientAddress);
    return this.#cookies === undefined ? found : this.#cookies.complete(found, request, trusted);
  }

  /** What was learned, in base64, for another process; nothing where nothing was to be. */
  get handover(): { readonly learned?: string } {
    return this.#learner === undefined || this.#learned === undefined ? {} : handedLearned(this.#learned);
  }

  #makeLearner(): CookieLearner | undefined {
    const source = this.#limits.key.find(({ type }) => type === 'learn');
    if (source?.type !== 'learn') return undefined;
    this.#learned ??= learnedSeats(new ArrayBuffer(LEARNED_BYTES), this.#given);
    this.#given = undefined;
    return new CookieLearner(source.name, this.#learned);
  }
}

/** On that memory, with what another process had learned, in base64. */
export function learnedSeats(memory: ArrayBufferLike, given: string | undefined): LearnedSeats {
  const seats = new LearnedSeats(memory);
  if (given !== undefined) seats.fill(Buffer.from(given, 'base64'));
  return seats;
}

export function handedLearned(seats: LearnedSeats): { readonly learned: string } {
  return { learned: Buffer.from(seats.bytes).toString('base64') };
}
