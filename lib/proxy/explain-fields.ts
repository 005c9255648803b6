// Answers `X-Ringmaster-Explain: 1`: the reply gets fields that say why the request went where it went.

import { reasonText, shareText } from '../core/ring/easing.ts';
import type { Explanation } from '../core/ring/explain.ts';
import type { SeatId } from '../core/ring/ring.ts';

interface Explained {
  readonly explanation: Explanation | undefined;
  readonly requestId: number;
  /** The replica that replied. */
  readonly agent: { readonly replica: { readonly hostname: string } } | undefined;
}

// The names of a thousand replicas would make a larger head than clients accept.
const MOST_NAMED = 32;

const NO_FIELDS: readonly string[] = [];

/** The fields for an exchange whose client asked why: name, value, name, value, …; none for all others. */
export function explainFields(
  exchange: Explained,
  hostnameOf: (seat: SeatId) => string | undefined,
): readonly string[] {
  const { explanation, requestId, agent } = exchange;
  if (explanation === undefined) return NO_FIELDS;
  const { key, slot, order, skipped, eased } = explanation;
  const name = (seat: SeatId) => hostnameOf(seat) ?? `seat ${seat}`;
  const [owner] = order;
  const fields = {
    'Request-Id': requestId,
    Key: key,
    Slot: slot,
    Owner: owner === undefined ? '' : name(owner),
    // The replica that replied: not the first one picked, if that one failed.
    Replica: agent?.replica.hostname ?? '',
    Skipped: listed(skipped, ({ seat, why }) => `${name(seat)} (${why})`),
    Order: listed(order, name),
    ...(eased.length > 0 && {
      Eased: listed(eased, ({ replica, share, why }) => `${replica.hostname} ${shareText(share)} (${reasonText(why)})`),
    }),
  };
  return Object.entries(fields).flatMap(([field, value]) => [`X-Ringmaster-${field}`, String(value)]);
}

function listed<T>(all: readonly T[], name: (one: T) => string): string {
  const names = all.slice(0, MOST_NAMED).map(name);
  if (all.length > MOST_NAMED) names.push('...');
  return names.join(', ');
}
