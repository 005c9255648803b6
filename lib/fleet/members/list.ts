// Members by a list that does not change: those of `--upstream`, as many as `--replicas` says, or those of the last time.

import type { Membership, Wish } from '../../core/ports.ts';

/** @param read is called once, when the fleet begins. */
export function listMembers(read: () => Promise<readonly Wish[]>): Membership {
  return { first: read, watch: () => () => undefined };
}
