// The bodies of /add and /rm: from JSON to checked values, or to the reason why not. Pure. What the values mean for the fleet as
// it is (names that are there already, the limit) is routes.ts's business.

import { HOSTNAME_PATTERN, sameHostname } from '../core/replica-name.ts';
import { BalancerError } from '../errors.ts';

export interface ChangeRequest {
  /** 1 or more. */
  readonly n: number;
  /** At most n, each valid, no two the same. */
  readonly hostnames: readonly string[];
}

/** @param tooMany what the contract says if there are more hostnames than n. Throws `bad-body`. */
export function parseChange(text: string, tooMany: string): ChangeRequest {
  const body = parseObject(text);
  const { n, hostnames = [] } = body;
  if (n === undefined) throw refusal('n is missing: the number of replicas, a whole number from 1 up');
  // As large as anyone likes: more than there are means all, and /add has a limit of its own.
  if (!Number.isInteger(n) || (n as number) < 1) {
    const shown = typeof n === 'number' ? String(n) : JSON.stringify(n);
    throw refusal(`n must be a whole number from 1 up, not ${shown}`);
  }
  if (!Array.isArray(hostnames)) throw refusal(`hostnames must be a list, not ${JSON.stringify(hostnames)}`);
  if (hostnames.length > (n as number)) throw refusal(tooMany);
  hostnames.forEach(checkHostname);
  return { n: n as number, hostnames };
}

function parseObject(text: string): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new BalancerError('bad-body', `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw refusal('the body must be an object like {"n": 1, "hostnames": ["S1"]}');
  }
  return body as Record<string, unknown>;
}

function checkHostname(hostname: unknown, index: number, all: readonly unknown[]): void {
  if (typeof hostname !== 'string' || !HOSTNAME_PATTERN.test(hostname)) {
    throw refusal(
      `hostnames[${index}] must be a letter or digit, then up to 62 of letters, digits, "_", "." and "-", not ${JSON.stringify(hostname)}`,
    );
  }
  const first = all.findIndex((other) => typeof other === 'string' && sameHostname(other, hostname));
  if (first < index) throw refusal(`hostnames[${index}] is the same as hostnames[${first}]: ${hostname}`);
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
