// Members by a list that never changes: the services of `--upstream`, as many replicas as `--replicas` says, or those
// that `--keep-scale` kept.

import type { Membership, Wish } from '../../core/ports.ts';

/** @param read is called once, when the fleet begins. */
export function listMembers(read: () => Promise<readonly Wish[]>): Membership {
  return { first: read, watch: () => () => undefined };
}
