// What a request shows of who sent it: a token, or signs that it came through a proxy. Pure. What it may do is for others to say.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { ExplainRules } from '../core/routing-plan.ts';

/** What is looked at: the fields in lower case, as `http.Server` gives them, and the target for one in absolute-form. */
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

/** By what one sees that a request came through a proxy, in words; `undefined` if nothing says so. */
export function proxyMark({ headers, httpVersion }: AccessRequest): string | undefined {
  // As servers read names that make variables of them: all but letters and digits is the same.
  const field = Object.keys(headers).find((name) =>
    /^(via|forwarded|x[^a-z\d]forwarded[^a-z\d].*|x[^a-z\d]real[^a-z\d]ip)$/.test(name),
  );
  if (field !== undefined) return nameOf(field);
  // What nginx makes of every request where nothing is set but `proxy_pass`. To say so means nothing in HTTP/1.0: programs do not.
  const closes = httpVersion === '1.0' && headers.connection?.toLowerCase() === 'close';
  return closes ? 'HTTP/1.0 with Connection: close' : undefined;
}

/** By itself, by the admin token that it shows, or not. */
export type MayBeTold = 'yes' | 'by-token' | 'no';

/** May the request that asks be told why it goes where it goes? */
export function mayBeTold(request: AccessRequest, rules: ExplainRules): MayBeTold {
  const { authorization } = request.headers;
  if (rules.token !== undefined && isBearer(authorization ?? '', rules.token)) return 'by-token';
  return rules.needsToken || (rules.refusesProxied && proxyMark(request) !== undefined) ? 'no' : 'yes';
}

// As it is written: x-forwarded-for is X-Forwarded-For. Short, whatever comes.
function nameOf(field: string): string {
  return field.slice(0, 40).replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/**
 * Does the value of an Authorization field show that token? Digests are of one length whatever is given, so that how long the
 * comparison takes says nothing of the token.
 */
export function isBearer(authorization: string, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
