// Members by a list that somebody else keeps: a follower has the seats that the list says, and changes nothing about
// them. Where the list comes from is a ListSource; a file is one of them (list-file.ts).

import type { MemberList } from '../../core/members/member-list.ts';
import type { Member, Membership } from '../../core/ports.ts';

/** Where a list of members comes from: a file, DNS, an orchestrator. */
export interface ListSource {
  /** The list now; `undefined` if there is none yet, or none that can be understood: the source tells that itself. */
  read(): Promise<MemberList | undefined>;
  /** Calls back with each other list. Returns the function that ends the watch. */
  watch(next: (list: MemberList) => void): () => void;
}

export interface ListedMembers extends Membership {
  /** Where the fleet is changed, as the list says; `undefined` if it does not. */
  readonly controller: string | undefined;
}

export function listedMembers(source: ListSource): ListedMembers {
  let controller: string | undefined;
  const membersOf = (list: MemberList): readonly Member[] => {
    controller = list.controller;
    return list.members;
  };
  return {
    first: () => Promise.resolve([]),
    // Without a list the fleet is empty, and requests get a 503 until there is one: balancers may start in any order.
    listed: async () => {
      const list = await source.read();
      return list === undefined ? [] : membersOf(list);
    },
    watch: (make) => source.watch((list) => void make({ type: 'list', members: membersOf(list) })),
    get controller() {
      return controller;
    },
  };
}
