// Hostnames of replicas: which are valid, which are the same, and how random ones are made.

import { mix32 } from '../ring/hashes/mixed.ts';

/**
 * A letter or digit, then up to 62 letters, digits, `_`, `.` or `-`: it also has to be a container name and a DNS
 * label.
 */
export const HOSTNAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Two hostnames are the same if they differ in case only, as in DNS (RFC 4343). */
export function sameHostname(a: string, b: string): boolean {
  return foldedHostname(a) === foldedHostname(b);
}

/** Gives the same text for hostnames that are the same. */
export function foldedHostname(hostname: string): string {
  return hostname.toLowerCase();
}

/** `server_` and six letters or digits, made from the seed and the incarnation. It avoids the names in `taken`. */
export function randomName(seed: number, incarnation: number, taken: readonly string[]): string {
  for (let salt = 0; ; salt++) {
    const word = mix32(mix32(mix32(seed) + incarnation) + salt);
    const name = `server_${(word % 36 ** 6).toString(36).padStart(6, '0')}`;
    if (!taken.some((other) => sameHostname(other, name))) return name;
  }
}
