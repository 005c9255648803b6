// Decides whose word is taken on where a request comes from. A proxy in front says so in X-Forwarded-*; others could
// forge these fields, so what they say there is replaced. Pure.

import { BlockList, isIPv6 } from 'node:net';

/** Decides by address whose word is taken. */
export interface Trust {
  trusts(address: string): boolean;
  /**
   * The client's address: the last one in X-Forwarded-For that is not itself a trusted proxy, going back from `peer`,
   * which is one.
   */
  originOf(peer: string, rawHeaders: readonly string[]): string;
}

/** @param entries addresses, networks, `loopback`, `all`. lib/settings/lists/kinds.ts has checked them. */
export function trustRule(entries: readonly string[]): Trust {
  const all = entries.includes('all');
  const list = new BlockList();
  for (const entry of entries) {
    if (entry === 'loopback') {
      list.addSubnet('127.0.0.0', 8);
      list.addAddress('::1', 'ipv6');
    } else if (entry !== 'all') {
      const [address = '', bits] = entry.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
    }
  }
  const trusts = (address: string) =>
    all || (entries.length > 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'));
  return {
    trusts,
    originOf: (peer, rawHeaders) => {
      let origin = peer;
      for (const hop of hopsOf(rawHeaders)?.reverse() ?? []) {
        if (hop === '') break;
        origin = hop;
        if (!trusts(hop)) break;
      }
      return origin;
    },
  };
}

// The elements of all X-Forwarded-For fields in their order; `undefined` for most requests, which have none.
function hopsOf(rawHeaders: readonly string[]): string[] | undefined {
  let hops: string[] | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 15 || name.toLowerCase() !== 'x-forwarded-for') continue;
    hops ??= [];
    for (const hop of (rawHeaders[index + 1] as string).split(',')) hops.push(addressOf(hop.trim()));
  }
  return hops;
}

// Some proxies, such as Azure's Application Gateway, add the port. It is cut off: it differs for each connection of a
// client.
function addressOf(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^[\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(hop) ?? [];
  const address = bracketed ?? plain ?? hop;
  return isIPv6(address) ? ipv4AsSuch(address.toLowerCase()) : address;
}

/**
 * The address in IPv4 form, if it is an IPv4 address that a dual-stack listener shows as IPv6.
 * @param address in lower case.
 */
export function ipv4AsSuch(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
