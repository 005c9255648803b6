// The list of members that a lookup means, the same for each balancer that gets the same answers: a seat follows from
// the names alone, never from who had it before, since balancers look at different moments. A member that an answer
// lacks is kept for a while, so one that starts meanwhile has another list until that is over. A source may know
// places, as Swarm does. Else a name that ends in a number has that seat: `app-0` the first, as the pods of a
// StatefulSet are named. All others get the place that their name hashes to, or the next one that is free.

import { foldedHostname } from '../fleet/replica-name.ts';
import type { FoundMember, Member } from '../ports.ts';
import { hashText } from '../ring/hashes/text.ts';

/** A member, and when it was listed last. */
export interface SeenMember {
  readonly member: FoundMember;
  readonly seenMs: number;
}

export interface FoundList {
  readonly members: readonly Member[];
  /** To be given with the next answer. */
  readonly seen: readonly SeenMember[];
}

/**
 * @param before what the last answer left.
 * @param settleMs a member that an answer leaves out is kept for so long, since one answer may lack what the next has.
 * @param maxPlace the highest place that the ring has room for; as many members at most.
 */
export function listOfFound(
  found: readonly FoundMember[],
  before: readonly SeenMember[],
  { settleMs, maxPlace }: { readonly settleMs: number; readonly maxPlace: number },
  atMs: number,
): FoundList {
  const listed = new Set(found.map(({ hostname }) => foldedHostname(hostname)));
  const missing = before.filter(
    ({ member, seenMs }) => !listed.has(foldedHostname(member.hostname)) && atMs - seenMs < settleMs,
  );
  const seen = [...found.map((member) => ({ member, seenMs: atMs })), ...missing];
  return { members: seated(seen.map(({ member }) => member).slice(0, maxPlace), maxPlace), seen };
}

function seated(found: readonly FoundMember[], maxPlace: number): Member[] {
  const taken = new Map<number, FoundMember>();
  // By name, so that the order of an answer says nothing.
  const sorted = found.toSorted((a, b) => (foldedHostname(a.hostname) < foldedHostname(b.hostname) ? -1 : 1));
  const others = sorted.filter((member) => {
    const seat = member.seat ?? ordinalOf(member.hostname) + 1;
    if (!(seat <= maxPlace) || taken.has(seat)) return true;
    taken.set(seat, member);
    return false;
  });
  for (const member of others) {
    let seat = 1 + (hashText(foldedHostname(member.hostname)) % maxPlace);
    while (taken.has(seat)) seat = 1 + (seat % maxPlace);
    taken.set(seat, member);
  }
  return [...taken]
    .sort(([a], [b]) => a - b)
    .map(([seat, { hostname, address }]) => ({ places: [seat], hostname, address, isDrained: false }));
}

// Of `app-3.app.example:80` that is 3. NaN if the name has none.
function ordinalOf(hostname: string): number {
  return Number(/^[^.:]*-(\d{1,5})(?=[.:]|$)/.exec(hostname)?.[1] ?? Number.NaN);
}
