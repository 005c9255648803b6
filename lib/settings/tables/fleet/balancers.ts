// Options of a service that several balancers share.

import { choice } from '../../kinds.ts';
import { memberSource, peerUrls } from '../../lists/kinds.ts';
import { atStart, group, option, settled } from '../../option.ts';

const FOLLOWED = atStart('who says who is in the fleet is settled by those that there are');

export const BALANCERS = group('Several balancers', 'one fleet and one ring for all of them', {
  members: option(
    memberSource,
    '',
    FOLLOWED,
    'file with the list of members, which a controller writes and its followers go by, or a name that all look up, in the forms of `--upstream`; none if empty',
  ),
  role: settled(
    choice(['alone', 'controller', 'follower']),
    'follower with --members, else alone',
    (given, { members }: { members: string }) => given ?? (members === '' ? 'alone' : 'follower'),
    FOLLOWED,
    'whether the fleet is changed here, and written to `--members` for others, or read from there',
  ),
  peers: option(
    peerUrls,
    [] as readonly string[],
    'live',
    'other balancers of the same service, at their own endpoints: a ring or options that differ from theirs are told',
  ),
});

/** Whether replicas are started here, and not all are given. */
export function startsReplicas(options: {
  readonly upstream: { readonly size: number };
  readonly role: string;
}): boolean {
  return options.upstream.size === 0 && options.role !== 'follower';
}
