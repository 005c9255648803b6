// Reads what a request shows of its sender: a token, or signs that it came through a proxy. Pure. Others decide what
// that sender may do.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { ExplainRules } from '../core/routing-plan.ts';

/** The parts of a request that are looked at. Fields are in lower case, as `http.Server` gives them. */
export interface AccessRequest {
  readonly url?: string | undefined;
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly host?: string | undefined;
    readonly origin?: string | undefined;
    readonly 'sec-fetch-site'?: string | string[] | undefined;
    readonly connection?: string | undefined;
    readonly [name: string]: string | string[] | undefined;
  };
  readonly httpVersion?: string;
  /** Name, value, name, value, … */
  readonly rawHeaders?: readonly string[];
}

/** Says in words what shows that a request came through a proxy; `undefined` if nothing does. */
export function proxyMark({ headers, httpVersion }: AccessRequest): string | undefined {
  // Servers that turn field names into variables read every character but letters and digits alike; so does this.
  const field = Object.keys(headers).find((name) =>
    /^(via|forwarded|x[^a-z\d]forwarded[^a-z\d].*|x[^a-z\d]real[^a-z\d]ip)$/.test(name),
  );
  if (field !== undefined) return nameOf(field);
  // nginx makes this of every request if its configuration has nothing but `proxy_pass`. A program has no reason to
  // send `close` in HTTP/1.0, where it is the default, so it means nginx.
  const closes = httpVersion === '1.0' && headers.connection?.toLowerCase() === 'close';
  return closes ? 'HTTP/1.0 with Connection: close' : undefined;
}

/**
 * Whether an explanation may be given: to anybody (`yes`), only because of the admin token shown (`by-token`), or not.
 */
export type MayBeTold = 'yes' | 'by-token' | 'no';

/** May this request be told why it goes where it goes? */
export function mayBeTold(request: AccessRequest, rules: ExplainRules): MayBeTold {
  const { authorization } = request.headers;
  if (rules.token !== undefined && isBearer(authorization ?? '', rules.token)) return 'by-token';
  return rules.needsToken || (rules.refusesProxied && proxyMark(request) !== undefined) ? 'no' : 'yes';
}

// The field's name as it is usually written: x-forwarded-for becomes X-Forwarded-For. Cut, since the client chose its
// length.
function nameOf(field: string): string {
  return field.slice(0, 40).replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/**
 * Does an Authorization value show this token? Digests have one length whatever is given, so the time that the
 * comparison takes reveals nothing about the token.
 */
export function isBearer(authorization: string, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
