// A plain request, in the place of Node's `IncomingMessage`: whole when its head is here, without a body to read.

import type { ParsedRequest } from '../../../http/headers.ts';
import type { Incoming } from '../../exchange/downstream.ts';
import type { TurnRequest } from '../http1/responses.ts';
import type { PlainHead } from './plain-head.ts';

export class PlainRequest implements Incoming, ParsedRequest, TurnRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersionMajor = 1;
  readonly httpVersionMinor: number;
  rawHeaders: readonly string[];
  readonly complete = true;
  readonly rawTrailers = [];
  shouldKeepAlive: boolean;

  constructor({ method, url, httpVersionMinor, rawHeaders, keepAlive }: PlainHead) {
    this.method = method;
    this.url = url;
    this.httpVersionMinor = httpVersionMinor;
    this.rawHeaders = rawHeaders;
    this.shouldKeepAlive = keepAlive;
  }

  get req(): this {
    return this;
  }

  finish(): void {}

  on(): void {}

  pause(): void {}

  resume(): void {}
}
