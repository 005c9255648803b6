// A list of members by a lookup (`--members dns:…` or `swarm:…`): all balancers that get the same answer have the same
// seats, and none of them has to write a file for the others.

import { listOfFound, type SeenMember } from '../../core/members/found-list.ts';
import type { MemberList } from '../../core/members/member-list.ts';
import type { Clock, Finding } from '../../core/ports.ts';
import type { Log } from '../../log.ts';
import { type FoundLimits, type Source, WatchedSource } from './found.ts';
import type { ListSource } from './listed.ts';

export function foundList(
  source: Source,
  limits: Pick<FoundLimits, 'maxMembers' | 'maxPlace'>,
  clock: Clock,
  log: Log,
): ListSource {
  const watched = new WatchedSource(source, limits, clock, log);
  let seen: readonly SeenMember[] = [];
  let last = '';
  /** `undefined` if the list is as it was. */
  const listOf = ({ members: found, settleMs }: Finding): MemberList | undefined => {
    const terms = { settleMs, maxPlace: limits.maxPlace };
    const { members, seen: now } = listOfFound(found, seen, terms, clock.now());
    seen = now;
    const text = JSON.stringify(members);
    if (text === last) return undefined;
    last = text;
    return { controller: undefined, members };
  };
  return {
    read: async () => {
      const finding = await watched.look(new AbortController().signal);
      return finding === undefined ? undefined : listOf(finding);
    },
    watch: (next) => {
      const ended = new AbortController();
      void watched.follow(async (finding) => {
        const list = listOf(finding);
        if (list !== undefined) next(list);
      }, ended.signal);
      return () => ended.abort();
    },
  };
}
