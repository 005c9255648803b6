// Who may change the fleet. Two doors: a request that a web page of somebody else's made is never let in, whoever the browser
// belongs to; and where more than this machine reaches the port, or a request came through a proxy, a token is asked for. Decides;
// answering is routes.ts.

import { isIP } from 'node:net';
import { BalancerError } from '../errors.ts';
import { type AccessRequest, isBearer, proxyMark } from '../http/credentials.ts';

/** `auto` is `open` on loopback where no token is given and no proxy is trusted, but for what came through one; else `token`. */
export type AccessMode = 'auto' | 'open' | 'token';

export interface AccessRules {
  /** The address that is listened on. */
  readonly host: string;
  /** What this machine calls itself. */
  readonly machine: string;
  /** Who changes the fleet has to know it; `undefined` if nobody has to. */
  readonly token: string | undefined;
  /** Without a token: nothing that came through a proxy is let in. */
  readonly refusesProxied: boolean;
}

/** Only programs on this machine reach it there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** What says whether a token is asked for, at a place that is listened on. */
export interface TokenTerms {
  readonly mode: AccessMode;
  readonly host: string;
  readonly tokenGiven: boolean;
  /** Some requests come through a proxy, as `--trust-proxy` says. */
  readonly proxied: boolean;
}

/** Must those who change the fleet show a token? */
export function needsToken({ mode, host, tokenGiven, proxied }: TokenTerms): boolean {
  return mode === 'token' || (mode === 'auto' && (tokenGiven || proxied || !isLoopback(host)));
}

/** Throws `bad-request`, `forbidden` or `unauthorized` unless that request may change the fleet. */
export function checkAccess(request: AccessRequest, rules: AccessRules): void {
  const { authorization, origin, 'sec-fetch-site': site } = request.headers;
  const authority = authorityOf(request).toLowerCase();
  // The attack: any page on the web that has its visitors' browsers send POST /add to localhost (test/admin/access.test.ts). A
  // browser says where a request comes from and no page can change that; programs say nothing.
  if (origin !== undefined && !isOriginOf(authority, origin.toLowerCase())) {
    throw new BalancerError('forbidden', 'a page of another origin may not change the fleet');
  }
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new BalancerError('forbidden', 'a page of another site may not change the fleet');
  }
  if (rules.token !== undefined) {
    // No Host is asked of who has the token: a browser does not send it by itself, as it would a cookie.
    if (!isBearer(authorization ?? '', rules.token)) {
      throw new BalancerError(
        'unauthorized',
        'changing the fleet takes Authorization: Bearer and the token of --admin-token',
      );
    }
    return;
  }
  // The attack: nginx in front, to which anybody on the web is a neighbour of ours on loopback (test/admin/behind-a-proxy.test.ts).
  const mark = rules.refusesProxied ? proxyMark(request) : undefined;
  if (mark !== undefined) {
    throw new BalancerError(
      'unauthorized',
      `it came through a proxy (${mark}): such a change takes the admin token, and --admin-token sets one`,
    );
  }
  // The attack: a page whose own name was made to resolve to this machine (DNS rebinding), so that its origin and Host agree.
  const byPage = origin !== undefined || site !== undefined;
  if (authority !== '' && !isOurs(authority.replace(/:\d*$/, ''), byPage, rules)) {
    throw new BalancerError(
      'forbidden',
      'the Host of a request that changes the fleet must be a name of this balancer',
    );
  }
}

/** Throws `bad-request` for two Authorization fields: which of them counts, somebody in front may see otherwise. */
export function checkCredentials({ rawHeaders = [] }: AccessRequest): void {
  const names = rawHeaders.filter((text, index) => index % 2 === 0 && text.length === 13);
  if (names.filter((name) => name.toLowerCase() === 'authorization').length < 2) return;
  throw new BalancerError('bad-request', 'the request has more than one Authorization field');
}

// Empty if HTTP/1.0 named none: a browser always does.
function authorityOf({ url = '', headers }: AccessRequest): string {
  return /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host ?? '';
}

// Behind something that ends TLS the scheme differs; the default port of neither is written.
function isOriginOf(authority: string, origin: string): boolean {
  const [, scheme, given = ''] = /^(https?):\/\/(.+)$/.exec(origin) ?? [];
  if (scheme === undefined) return false;
  const standard = scheme === 'http' ? ':80' : ':443';
  const withoutPort = (text: string) => (text.endsWith(standard) ? text.slice(0, -standard.length) : text);
  return withoutPort(given) === withoutPort(authority);
}

// On loopback, its names. Elsewhere also any address, since nobody can make one resolve to another, and any name without a dot, as
// containers and machines next door have: no attacker can register one. Programs may use such a name everywhere.
function isOurs(name: string, byPage: boolean, { host, machine }: AccessRules): boolean {
  const address = name.replace(/^\[(.*)\]$/, '$1');
  if (isLoopback(address) || address === host.toLowerCase() || name === machine.toLowerCase()) return true;
  if (/^[\w-]+$/.test(name)) return !byPage || !isLoopback(host);
  return !isLoopback(host) && isIP(address) !== 0;
}
