// Where the members of a follower come from, as the options say: a file.

import { realClock } from '../fleet/clock.ts';
import { listFile } from '../fleet/members/list-file.ts';
import { type ListedMembers, listedMembers } from '../fleet/members/listed.ts';
import type { Log } from '../log.ts';
import { mostPlaces, type Options } from '../settings/options.ts';

/** The list that this balancer follows; `undefined` if it follows none. */
export function followedList(options: Options, log: Log): ListedMembers | undefined {
  const { role, members: path, maxReplicas } = options;
  if (role !== 'follower') return undefined;
  return listedMembers(
    listFile({ path, limits: { maxReplicas, maxPlace: mostPlaces(options) }, clock: realClock, log }),
  );
}
