// Gives a client that has no key a cookie with a random value, and its request that value as its key. So it is sticky
// from its first request on, and stays so when replicas are replaced, since the value names none.

import { randomFillSync } from 'node:crypto';
import type { KeyFinding } from '../../core/keys/key-finding.ts';
import { writeKeySource } from '../../core/keys/key-spec.ts';
import type { KeySource } from '../../core/request/key-source.ts';
import { hashText } from '../../core/ring/hashes/text.ts';
import type { SpreadSettings } from '../../core/traffic-settings.ts';
import { fieldValue, type KeyedRequest } from './head-texts.ts';

type Terms = Pick<SpreadSettings, 'key' | 'issuesCookie' | 'cookieMaxAgeMs'>;

const VALUE_BYTES = 16;
const AT_A_TIME = 128;

/** What issues the cookie that the list of sources ends with; `undefined` if none is to be issued. */
export function cookieIssuer(terms: Terms): CookieIssuer | undefined {
  const last = terms.key.at(-1);
  return terms.issuesCookie && last?.type === 'cookie' ? new CookieIssuer(last, terms) : undefined;
}

export class CookieIssuer {
  readonly #name: string;
  readonly #source: string;
  readonly #maxAge: string;
  // Drawn for many at a time: to ask for a few bytes costs as much as to ask for all of them.
  readonly #bytes = Buffer.alloc(AT_A_TIME * VALUE_BYTES);
  #at = this.#bytes.length;

  constructor(source: Extract<KeySource, { readonly type: 'cookie' | 'header' | 'query' }>, { cookieMaxAgeMs }: Terms) {
    this.#name = source.name;
    this.#source = writeKeySource(source);
    // Without an age a browser keeps it until it is closed.
    this.#maxAge = Number.isFinite(cookieMaxAgeMs) ? `; Max-Age=${Math.floor(cookieMaxAgeMs / 1000)}` : '';
  }

  /**
   * The same finding if there is a key, else one with a new cookie.
   * @param trusted the request comes from a proxy whose word is taken on how its client spoke to it.
   */
  complete(found: KeyFinding, request: KeyedRequest, trusted: boolean): KeyFinding {
    const { further } = found;
    if (further !== undefined) {
      return { ...found, further: (body) => this.complete(further(body), request, trusted) };
    }
    if (found.key !== undefined) return found;
    const value = this.#draw();
    const secure = trusted && isOverTls(request) ? '; Secure' : '';
    const setCookie = `${this.#name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}${this.#maxAge}`;
    return { key: hashText(value), source: this.#source, keyClass: 'cookie', setCookie };
  }

  #draw(): string {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += VALUE_BYTES;
    return this.#bytes.toString('base64url', from, this.#at);
  }
}

// The first proxy says how the browser spoke to it, those behind it add to that.
function isOverTls(request: KeyedRequest): boolean {
  const protocols = fieldValue(request, 'x-forwarded-proto');
  return protocols?.split(',')[0]?.trim().toLowerCase() === 'https';
}
