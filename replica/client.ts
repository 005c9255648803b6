// Who asks: what limits for one client are counted by.

import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * An address; of IPv6 the network of it, since a host has all addresses of one. The balancer in front appends it to X-Forwarded-For, and
 * what stands before that anybody may have written. Without a balancer it is the peer, and empty on a Unix socket.
 */
export function clientOf({ headers, socket }: IncomingMessage): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  const address = forwarded || (socket.remoteAddress ?? '');
  // One of IPv4 that is written in IPv6 has dots.
  if (!isIPv6(address) || address.includes('.')) return address;
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
