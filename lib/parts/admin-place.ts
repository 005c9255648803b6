// Decides from the options where the balancer's own endpoints are, and who may use them.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type AccessRules, isLoopback, needsToken } from '../admin/access.ts';
import type { EndpointPlace } from '../admin/admin-server.ts';
import { hostAndPort } from '../core/address.ts';
import type { ExplainRules } from '../core/routing-plan.ts';
import { ipv4AsSuch, trustRule } from '../http/trust.ts';
import type { Options } from '../settings/options.ts';

export interface AdminPlace {
  /** A listener for the endpoints alone; `undefined` if they are on the public port. */
  readonly own: EndpointPlace | undefined;
  readonly access: AccessRules;
  /** Who may get an explanation on the public port. */
  readonly explain: ExplainRules;
  /** The token, if it was drawn here. Nobody else knows it then. */
  readonly drawnToken: string | undefined;
}

interface Found {
  /** The token that a process drew whose place this one takes. */
  readonly drawnBefore?: string | undefined;
  /** The public port was opened by somebody else, and not for this machine alone, whatever `--host` says. */
  readonly isOpenToNetwork?: boolean;
}

/** @param machine this machine's own hostname. */
export function adminPlace(options: Options, machine: string, found: Found = {}): AdminPlace {
  const { drawnBefore, isOpenToNetwork = false } = found;
  const own = ownPlace(options);
  const publicHost = isOpenToNetwork && isLoopback(options.host) ? '0.0.0.0' : options.host;
  // Only programs on this machine can open a socket in the file system, so it counts as loopback.
  const host = own === undefined ? publicHost : own.type === 'tcp' ? own.host : 'localhost';
  const terms = { mode: options.admin, tokenGiven: options.adminToken !== '', proxied: options.trustProxy.length > 0 };
  const refusesProxied = options.admin === 'auto';
  const drawnToken =
    needsToken({ ...terms, host }) && !terms.tokenGiven
      ? (drawnBefore ?? randomBytes(24).toString('base64url'))
      : undefined;
  const token = needsToken({ ...terms, host }) ? (drawnToken ?? options.adminToken) : undefined;
  return {
    own,
    access: { host, machine, token, refusesProxied },
    explain: { needsToken: needsToken({ ...terms, host: publicHost }), token, refusesProxied },
    drawnToken,
  };
}

/** Gives the address that a request to these endpoints comes from; empty on a Unix socket. */
export function originReader({ trustProxy }: Options): (request: IncomingMessage) => string {
  const { trusts, originOf } = trustRule(trustProxy);
  return ({ socket, rawHeaders }) => {
    const peer = ipv4AsSuch(socket.remoteAddress ?? '');
    return peer !== '' && trusts(peer) ? originOf(peer, rawHeaders) : peer;
  };
}

/**
 * Where the endpoints are, for people on other machines: a URL, or `unix:/path`.
 * @param port that is listened on for clients.
 * @param machine this machine's own hostname, for whoever listens on all addresses.
 */
export function placeText(options: Options, port: number, machine: string): string {
  const own = ownPlace(options) ?? { type: 'tcp', host: options.host, port };
  if (own.type === 'unix') return `unix:${own.path}`;
  return `http://${hostAndPort(own.host === '0.0.0.0' || own.host === '::' ? machine : own.host, own.port)}`;
}

function ownPlace({ adminPort, adminHost, adminSocket, adminSocketMode }: Options): EndpointPlace | undefined {
  if (adminSocket !== '') return { type: 'unix', path: adminSocket, mode: adminSocketMode };
  return adminPort === 0 ? undefined : { type: 'tcp', host: adminHost, port: adminPort };
}
