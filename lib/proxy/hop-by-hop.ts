// Which fields are for one hop only (RFC 9110, 7.6.1), and which any rule of this proxy looks at. Pure, and quick: it is asked for
// each field of each head.

import { hasToken } from './reply-head.ts';

/** All `Connection` values in lower case, separated by commas; empty if they nominate nothing. */
export function connectionOptions(rawHeaders: readonly string[]): string {
  let options = '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    const value = (rawHeaders[index + 1] as string).toLowerCase();
    // What nearly every client sends nominates nothing.
    if (value !== 'keep-alive' && value !== 'close') options = options === '' ? value : `${options},${value}`;
  }
  return options;
}

// Lengths of the names that any rule here looks at: the others pass without being put into lower case.
const SPECIAL_LENGTHS = new Uint8Array(32);
for (const name of [
  'te host date expect upgrade connection keep-alive content-length x-forwarded-for x-forwarded-host proxy-connection',
  'x-forwarded-proto transfer-encoding proxy-authenticate proxy-authorization x-ringmaster-explain max-forwards',
  'forwarded x-real-ip x-forwarded-port x-forwarded-server x-forwarded-client-cert',
].flatMap((names) => names.split(' '))) {
  SPECIAL_LENGTHS[name.length] = 1;
}

/** May a rule apply to a field of that name? If not, it need not be put into lower case. */
export function mayBeSpecial(name: string): boolean {
  return SPECIAL_LENGTHS[name.length] === 1;
}

/** @param lower the name in lower case. */
export function isHopByHop(lower: string): boolean {
  switch (lower) {
    case 'connection':
    case 'keep-alive':
    case 'proxy-connection':
    case 'proxy-authenticate':
    case 'proxy-authorization':
    case 'te':
    case 'transfer-encoding':
    case 'upgrade':
      return true;
    default:
      return false;
  }
}

/**
 * Is the field for this hop only, by what `Connection` says? The attack: naming one that the next hop needs, to have it removed.
 */
export function isNominated(connection: string, lower: string): boolean {
  if (connection === '' || !connection.includes(lower)) return false;
  return lower !== 'host' && lower !== 'content-length' && lower !== 'expect' && hasToken(connection, lower);
}
