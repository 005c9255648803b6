// Addresses as people write them: host:port, with an IPv6 address in brackets, or unix:/path.

import { foldedHostname } from './fleet/replica-name.ts';
import type { Address } from './ports.ts';

// sockaddr_un holds 108 bytes on Linux, the last of them zero.
const LONGEST_PATH = 107;

/**
 * `undefined` if it is no address. An address has printable ASCII characters only.
 * The attack: an address may stand for a hostname, which is told in fields of replies. A line break in it would begin
 * another field (test/core/address.test.ts).
 */
export function parseAddress(written: string): Address | undefined {
  const [, path] = /^unix:(\/[\x20-\x7e]*)$/.exec(written) ?? [];
  if (path !== undefined) return path.length > LONGEST_PATH ? undefined : { type: 'unix', path };
  const [, bracketed, plain, digits] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]{1,253})):(\d{1,5})$/.exec(written) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { type: 'tcp', host, port };
}

/** As `parseAddress` reads it. */
export function addressText(address: Address): string {
  return address.type === 'unix' ? `unix:${address.path}` : hostAndPort(address.host, address.port);
}

/** As a URL and a Host field have them: an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The same text for addresses that are the same. It may stand for a hostname, and is compared as one: without case. */
export function foldedAddress(address: Address): string {
  return foldedHostname(addressText(address));
}
