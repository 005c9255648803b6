// The bodies of the endpoints: parses JSON into checked values, or says why it cannot. Pure. What the values mean for
// the fleet (hostnames that exist, the limit) is decided elsewhere.

import { addressText, foldedAddress, parseAddress } from '../core/address.ts';
import { MAX_WEIGHT } from '../core/fleet/fleet-state.ts';
import { foldedHostname, HOSTNAME_PATTERN } from '../core/fleet/replica-name.ts';
import type { Address } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';

export interface ChangeRequest {
  /** A whole number, 1 or more. */
  readonly n: number;
  /**
   * At most n, each valid, no two the same. If a hostname is missing but its address is given, the address is the
   * hostname.
   */
  readonly hostnames: readonly string[];
  /** At most n, from 1 to 16, in the order of `hostnames` and then of the replicas without one. */
  readonly weights: readonly number[];
  /**
   * At most n, in the same order, no two the same. A replica with an address already runs, and somebody else runs it.
   */
  readonly addresses: readonly Address[];
}

/**
 * Takes time linear in the length of the body, whatever it says: a few milliseconds for 65 KB of names.
 * Throws `bad-body`.
 * @param tooMany is the message of the contract for more hostnames than n.
 * @param checkNumber may refuse n by throwing, before anything else is checked.
 */
export function parseChange(text: string, tooMany: string, checkNumber: (n: number) => void = () => {}): ChangeRequest {
  const {
    n,
    hostnames = [],
    weights = [],
    addresses: written = [],
  } = parseObject(text, '{"n": 1, "hostnames": ["S1"]}');
  if (n === undefined) throw refusal('n is missing: the number of replicas, a whole number from 1 up');
  // There is no upper limit: for /rm, more than there are means all, and /add has its own limit.
  if (!Number.isInteger(n) || (n as number) < 1) throw refusal(`n must be a whole number from 1 up, not ${shown(n)}`);
  checkNumber(n as number);
  if (!Array.isArray(hostnames)) throw refusal(`hostnames must be a list, not ${shown(hostnames)}`);
  if (hostnames.length > (n as number)) throw refusal(tooMany);
  if (!Array.isArray(weights)) throw refusal(`weights must be a list, not ${shown(weights)}`);
  if (weights.length > (n as number)) throw refusal(`weights must be at most n, ${n}, not ${weights.length}`);
  weights.forEach((weight, index) => {
    if (!Number.isInteger(weight) || weight < 1 || weight > MAX_WEIGHT) {
      throw refusal(`weights[${index}] must be a whole number from 1 to ${MAX_WEIGHT}, not ${shown(weight)}`);
    }
  });
  const addresses = parseAddresses(n as number, written);
  const names = [...hostnames, ...addresses.slice(hostnames.length).map(addressText)];
  checkNames(names, hostnames.length);
  return { n: n as number, hostnames: names, weights, addresses };
}

/** The error if `hostnames[index]` cannot be the name of a replica that is started here. */
export function refusedHostname(index: number, hostname: unknown): BalancerError {
  return refusal(
    `hostnames[${index}] must be a letter or digit, then up to 62 of letters, digits, "_", "." and "-", not ${shown(hostname)}`,
  );
}

/** The hostname in the body of /balancer/kill. Throws `bad-body`. */
export function parseKill(text: string): string {
  const { hostname } = parseObject(text, '{"hostname": "server1"}');
  if (typeof hostname !== 'string') throw refusal(`hostname must be that of a replica, not ${shown(hostname)}`);
  return hostname;
}

/** The body of /balancer/drain and /balancer/undrain. Throws `bad-body`. */
export function parseDrain(text: string): { readonly hostname: string; readonly force: boolean } {
  const { hostname, force = false, ...rest } = parseObject(text, '{"hostname": "server1"}');
  if (typeof hostname !== 'string') throw refusal(`hostname must be that of a replica, not ${shown(hostname)}`);
  if (typeof force !== 'boolean') throw refusal(`force must be true or false, not ${shown(force)}`);
  checkNoMore(rest);
  return { hostname, force };
}

const PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

/** The body of /balancer/pause, which may be empty. Throws `bad-body`. */
export function parsePause(text: string): { readonly forMs: number } {
  const { forMs = PAUSE_MS, ...rest } = text === '' ? {} : parseObject(text, '{"forMs": 30000}');
  const isWithin = typeof forMs === 'number' && Number.isInteger(forMs) && forMs >= 1 && forMs <= LONGEST_PAUSE_MS;
  if (!isWithin) throw refusal(`forMs must be a whole number from 1 to ${LONGEST_PAUSE_MS}, not ${shown(forMs)}`);
  checkNoMore(rest);
  return { forMs };
}

/** The body of a request that says nothing more: none, or an empty object. Throws `bad-body`. */
export function parseNothing(text: string): void {
  if (text !== '') checkNoMore(parseObject(text, '{}'));
}

/** Throws `bad-body` if anything is left: a member that is misspelt would be ignored otherwise. */
export function checkNoMore(rest: Record<string, unknown>): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw refusal(`the body has no member ${shown(unknown)}`);
}

/** The question put to /balancer/explain: a key, or a request from which the key is taken. */
export type Question =
  | { readonly type: 'key'; readonly key: number | string }
  | {
      readonly type: 'request';
      readonly method: string;
      readonly path: string;
      readonly rawHeaders: readonly string[];
      readonly client: string | undefined;
      /** Empty if it has none. */
      readonly body: string;
    };

/** Parses the body of /balancer/explain. Throws `bad-body`. */
export function parseQuestion(text: string): Question {
  const example = '{"requestId": 123456}, {"key": "alice"} or {"path": "/home", "headers": {}, "client": "192.0.2.1"}';
  const { requestId, key, method = 'GET', path = '/', headers = {}, client, body = '' } = parseObject(text, example);
  if (requestId !== undefined) {
    if (!Number.isInteger(requestId) || (requestId as number) < 100_000 || (requestId as number) > 999_999) {
      throw refusal(`requestId must be a whole number from 100000 to 999999, not ${shown(requestId)}`);
    }
    return { type: 'key', key: requestId as number };
  }
  if (key !== undefined) {
    const isNumber = Number.isInteger(key) && (key as number) >= 0 && (key as number) < 2 ** 32;
    if (!isNumber && typeof key !== 'string')
      throw refusal(`key must be a text, or a whole number below 2^32, not ${shown(key)}`);
    return { type: 'key', key: key as number | string };
  }
  if (typeof method !== 'string') throw refusal(`method must be a text, not ${shown(method)}`);
  if (typeof path !== 'string' || !path.startsWith('/')) throw refusal(`path must begin with /, not ${shown(path)}`);
  if (client !== undefined && typeof client !== 'string')
    throw refusal(`client must be an address, not ${shown(client)}`);
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw refusal(`headers must be an object, not ${shown(headers)}`);
  }
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => {
    if (typeof value !== 'string') throw refusal(`headers[${shown(name)}] must be a text, not ${shown(value)}`);
    return [name, value];
  });
  return {
    type: 'request',
    method,
    path,
    rawHeaders,
    client,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

/** The body as an object. Throws `bad-body`. */
export function parseObject(text: string, example: string): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new BalancerError('bad-body', `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw refusal(`the body must be an object like ${example}`);
  }
  return body as Record<string, unknown>;
}

function parseAddresses(n: number, written: unknown): Address[] {
  if (!Array.isArray(written)) throw refusal(`addresses must be a list, not ${shown(written)}`);
  if (written.length > n) throw refusal(`addresses must be at most n, ${n}, not ${written.length}`);
  const firstAt = new Map<string, number>();
  return written.map((one: unknown, index) => {
    const address = typeof one === 'string' ? parseAddress(one) : undefined;
    if (address === undefined) throw refusal(`addresses[${index}] must be host:port or unix:/path, not ${shown(one)}`);
    const first = firstAt.get(foldedAddress(address));
    if (first !== undefined) throw refusal(`addresses[${index}] is the same as addresses[${first}]: ${one}`);
    firstAt.set(foldedAddress(address), index);
    return address;
  });
}

// The names after the first `given` were made from addresses. Before those, an address is a valid name too: a replica
// that was added without a hostname is called by its address, and /rm has to be able to name it.
function checkNames(names: readonly unknown[], given: number): void {
  const firstAt = new Map<string, number>();
  const at = (index: number) => (index < given ? `hostnames[${index}]` : `addresses[${index}]`);
  names.forEach((name, index) => {
    const isName = typeof name === 'string' && (HOSTNAME_PATTERN.test(name) || parseAddress(name) !== undefined);
    if (!isName) throw refusedHostname(index, name);
    const first = firstAt.get(foldedHostname(name));
    if (first !== undefined) throw refusal(`${at(index)} is the same as ${at(first)}: ${name}`);
    firstAt.set(foldedHostname(name), index);
  });
}

const MOST_SHOWN = 100;

/** The start of the value as it was written. JSON has no Infinity, which is what a too large number becomes. */
export function shown(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
