// Identifies clients, so that limits can be counted for each.

import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * The client's address, or the network of an IPv6 address, since one host has all addresses of it. A balancer appends
 * the address to X-Forwarded-For; anybody may have written what stands before it. Without a balancer it is the peer's
 * address, which is empty on a Unix socket.
 */
export function clientOf({ headers, socket }: IncomingMessage): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  const address = forwarded || (socket.remoteAddress ?? '');
  // An IPv4 address in IPv6 form has dots.
  if (!isIPv6(address) || address.includes('.')) return address;
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
