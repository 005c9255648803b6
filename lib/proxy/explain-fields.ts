// The answer to `X-Ringmaster-Explain: 1`: why the request went where it went, as fields of its reply.

import type { Explanation } from '../core/ring/explain.ts';
import type { SeatId } from '../core/ring/ring.ts';

// Of a thousand replicas all names would be more than clients take of a head.
const MOST_NAMED = 32;

/** @param replica hostname of the replica that replied, which is another than was taken if that one failed. */
export function explainFields(
  explanation: Explanation,
  requestId: number,
  replica: string,
  hostnameOf: (seat: SeatId) => string | undefined,
): string {
  const { key, slot, order, skipped } = explanation;
  const name = (seat: SeatId) => hostnameOf(seat) ?? `seat ${seat}`;
  const [owner] = order;
  const fields = {
    'Request-Id': requestId,
    Key: key,
    Slot: slot,
    Owner: owner === undefined ? '' : name(owner),
    Replica: replica,
    Skipped: listed(skipped, ({ seat, why }) => `${name(seat)} (${why})`),
    Order: listed(order, name),
  };
  return Object.entries(fields)
    .map(([field, value]) => `X-Ringmaster-${field}: ${value}\r\n`)
    .join('');
}

function listed<T>(all: readonly T[], name: (one: T) => string): string {
  const names = all.slice(0, MOST_NAMED).map(name);
  if (all.length > MOST_NAMED) names.push('...');
  return names.join(', ');
}
