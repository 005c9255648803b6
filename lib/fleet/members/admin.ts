// Members by calls of the admin endpoints: none at the start, then each change as it is asked for.

import type { MemberChange, Membership, ReplicaRef, Wish } from '../../core/ports.ts';
import { BalancerError } from '../../errors.ts';

export interface AdminMembers extends Membership {
  /** Resolves when all of them serve. If one will not, rejects, and none of them stays. */
  add(wishes: readonly Wish[]): Promise<void>;
  /** Resolves when they have finished their requests and are gone. */
  remove(replicas: readonly ReplicaRef[]): Promise<void>;
}

export function adminMembers(): AdminMembers {
  let make: (change: MemberChange) => Promise<void> = unwatched;
  return {
    first: () => Promise.resolve([]),
    watch: (next) => {
      make = next;
      return () => {
        make = unwatched;
      };
    },
    add: (wishes) => make({ type: 'add', wishes }),
    remove: (replicas) => make({ type: 'remove', replicas }),
  };
}

function unwatched(): Promise<void> {
  return Promise.reject(
    new BalancerError(
      'closing',
      'the fleet has not begun, is shutting down, or belongs to another process by now: ask again',
    ),
  );
}
