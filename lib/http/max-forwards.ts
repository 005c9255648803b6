// Max-Forwards of TRACE and OPTIONS (RFC 9110, 7.6.2): at 0 the request ends at this gateway, which answers it. With
// other methods the field means nothing. Pure.

import { BalancerError } from '../errors.ts';
import type { ParsedRequest } from './headers.ts';

// A larger value is lowered to this one, the most that is supported (RFC 9110, 7.6.2).
const MOST = 2 ** 31 - 1;
// An echo of these fields would give secrets to anybody who can make a browser send TRACE (RFC 9110, 9.3.8).
const SECRET = /^(?:authorization|proxy-authorization|cookie|cookie2)$/i;

/** How many hops the request may still make after this one; `undefined` if it sets no limit. Throws `bad-request`. */
export function hopsLeft({ method, rawHeaders }: ParsedRequest): number | undefined {
  if (method !== 'TRACE' && method !== 'OPTIONS') return undefined;
  let hops: number | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 12 || name.toLowerCase() !== 'max-forwards') continue;
    const value = rawHeaders[index + 1] as string;
    if (hops !== undefined || !/^\d+$/.test(value)) {
      throw new BalancerError('bad-request', 'Max-Forwards is not one number');
    }
    hops = Math.min(Number(value), MOST) - 1;
  }
  return hops;
}

/**
 * The answer to a request that goes no further: TRACE gets its own request back, OPTIONS the methods that are allowed.
 */
export function lastHopReply(request: ParsedRequest, date: string, keepAlive: boolean, omitsVia = false): string {
  const { method, url, httpVersionMinor, rawHeaders } = request;
  let echo = '';
  if (method === 'TRACE') {
    echo = `TRACE ${url} HTTP/1.${httpVersionMinor}\r\n`;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      if (!SECRET.test(name)) echo += `${name}: ${rawHeaders[index + 1]}\r\n`;
    }
    echo += '\r\n';
  }
  return (
    `HTTP/1.1 200 OK\r\nDate: ${date}\r\n${omitsVia ? '' : 'Via: 1.1 ringmaster\r\n'}` +
    (method === 'TRACE'
      ? 'Content-Type: message/http\r\n'
      : 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n') +
    `Content-Length: ${echo.length}\r\n${keepAlive ? (httpVersionMinor === 0 ? 'Connection: keep-alive\r\n' : '') : 'Connection: close\r\n'}\r\n${echo}`
  );
}
