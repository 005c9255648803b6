// What a data plane goes by to find the keys of requests, made anew when the settings change.

import type { KeyFinding } from '../../core/request/key-finding.ts';
import type { KeyFunction } from '../../core/request/key-source.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { KeyedRequest } from './head-texts.ts';
import { type CookieIssuer, cookieIssuer } from './issued-cookies.ts';
import { type KeyReader, keyReader } from './key-reader.ts';

export class Keys {
  readonly #limits: ProxyLimits;
  readonly #own: KeyFunction | undefined;
  #read: KeyReader;
  #cookies: CookieIssuer | undefined;

  /** @param own what the source `function` stands for. */
  constructor(limits: ProxyLimits, own: KeyFunction | undefined) {
    this.#limits = limits;
    this.#own = own;
    this.#read = keyReader(limits.key, own);
    this.#cookies = cookieIssuer(limits);
  }

  /** Call it when the limits have changed. */
  settingsChanged(): void {
    this.#read = keyReader(this.#limits.key, this.#own);
    this.#cookies = cookieIssuer(this.#limits);
  }

  /** @param trusted the request comes from a proxy whose word is taken. */
  of(request: KeyedRequest, clientAddress: string, trusted: boolean): KeyFinding {
    const found = this.#read(request, clientAddress);
    return this.#cookies === undefined ? found : this.#cookies.complete(found, request, trusted);
  }
}
