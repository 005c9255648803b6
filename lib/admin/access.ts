// Decides who may change the fleet; routes.ts answers. There are two rules. A request made by a web page of another
// origin is never let in, no matter whose browser sends it. And a token is asked for if more than this machine reaches
// the port, or if the request came through a proxy.

import { isIP } from 'node:net';
import { BalancerError } from '../errors.ts';
import { type AccessRequest, isBearer, proxyMark } from '../http/credentials.ts';

/**
 * `auto` means `open` on loopback, unless a token is given or a proxy is trusted; it still refuses what came through a
 * proxy. In all other cases it means `token`.
 */
export type AccessMode = 'auto' | 'open' | 'token';

export interface AccessRules {
  /** The address that is listened on. */
  readonly host: string;
  /** This machine's own hostname. */
  readonly machine: string;
  /** The token that changes of the fleet take; `undefined` if they take none. */
  readonly token: string | undefined;
  /** Nothing that came through a proxy is let in without a token. */
  readonly refusesProxied: boolean;
}

/** Can only programs on this machine reach that address? */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** What decides whether a token is asked for, at one listener. */
export interface TokenTerms {
  readonly mode: AccessMode;
  readonly host: string;
  readonly tokenGiven: boolean;
  /** Some requests come through a proxy, as `--trust-proxy` says. */
  readonly proxied: boolean;
}

/** Must whoever changes the fleet show a token? */
export function needsToken({ mode, host, tokenGiven, proxied }: TokenTerms): boolean {
  return mode === 'token' || (mode === 'auto' && (tokenGiven || proxied || !isLoopback(host)));
}

/** Throws `bad-request`, `forbidden` or `unauthorized` unless this request may change the fleet. */
export function checkAccess(request: AccessRequest, rules: AccessRules): void {
  const { authorization, origin, 'sec-fetch-site': site } = request.headers;
  const authority = authorityOf(request).toLowerCase();
  // The attack: any page on the web makes its visitors' browsers send POST /add to localhost
  // (test/admin/access.test.ts). A browser says where a request comes from, which no page can change; programs say
  // nothing.
  if (origin !== undefined && !isOriginOf(authority, origin.toLowerCase())) {
    throw new BalancerError('forbidden', 'a page of another origin may not change the fleet');
  }
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new BalancerError('forbidden', 'a page of another site may not change the fleet');
  }
  if (rules.token !== undefined) {
    // The Host is not checked for whoever has the token: unlike a cookie, browsers do not send it by themselves.
    if (!isBearer(authorization ?? '', rules.token)) {
      throw new BalancerError(
        'unauthorized',
        'changing the fleet takes Authorization: Bearer and the token of --admin-token',
      );
    }
    return;
  }
  // The attack: nginx runs in front, so that anybody on the web seems to be on loopback
  // (test/admin/behind-a-proxy.test.ts).
  const mark = rules.refusesProxied ? proxyMark(request) : undefined;
  if (mark !== undefined) {
    throw new BalancerError(
      'unauthorized',
      `it came through a proxy (${mark}): such a change takes the admin token, and --admin-token sets one`,
    );
  }
  // The attack: DNS rebinding. A page's own name is made to resolve to this machine, so that its origin and Host agree.
  const byPage = origin !== undefined || site !== undefined;
  if (authority !== '' && !isOurs(authority.replace(/:\d*$/, ''), byPage, rules)) {
    throw new BalancerError(
      'forbidden',
      'the Host of a request that changes the fleet must be a name of this balancer',
    );
  }
}

/** Throws `bad-request` for two Authorization fields, since a proxy in front may go by the other one. */
export function checkCredentials({ rawHeaders = [] }: AccessRequest): void {
  const names = rawHeaders.filter((text, index) => index % 2 === 0 && text.length === 13);
  if (names.filter((name) => name.toLowerCase() === 'authorization').length < 2) return;
  throw new BalancerError('bad-request', 'the request has more than one Authorization field');
}

// Empty if an HTTP/1.0 request names no host, which no browser does.
function authorityOf({ url = '', headers }: AccessRequest): string {
  return /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host ?? '';
}

// Only the host and port count: the scheme differs behind something that ends TLS. Default ports are left out in either
// scheme.
function isOriginOf(authority: string, origin: string): boolean {
  const [, scheme, given = ''] = /^(https?):\/\/(.+)$/.exec(origin) ?? [];
  if (scheme === undefined) return false;
  const standard = scheme === 'http' ? ':80' : ':443';
  const withoutPort = (text: string) => (text.endsWith(standard) ? text.slice(0, -standard.length) : text);
  return withoutPort(given) === withoutPort(authority);
}

// Is this name one of ours? On loopback, only its names are. Elsewhere any address is, since nobody can make one
// resolve to another, and any name without a dot, as containers and machines next door have: no attacker can register
// such a name. Programs may use a name without a dot everywhere.
function isOurs(name: string, byPage: boolean, { host, machine }: AccessRules): boolean {
  const address = name.replace(/^\[(.*)\]$/, '$1');
  if (isLoopback(address) || address === host.toLowerCase() || name === machine.toLowerCase()) return true;
  if (/^[\w-]+$/.test(name)) return !byPage || !isLoopback(host);
  return !isLoopback(host) && isIP(address) !== 0;
}
