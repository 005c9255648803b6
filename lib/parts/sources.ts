// Makes the sources of members that the options name: where services are looked up that somebody else runs, and the
// list that a follower has.

import { realClock } from '../fleet/clock.ts';
import { dnsSource } from '../fleet/members/dns.ts';
import { FoundMembers } from '../fleet/members/found.ts';
import { listFile } from '../fleet/members/list-file.ts';
import { type ListedMembers, listedMembers } from '../fleet/members/listed.ts';
import type { Log } from '../log.ts';
import { soughtUpstreams } from '../settings/lists/upstream.ts';
import type { Options } from '../settings/options.ts';
import { mostPlaces, upstreamPlaces } from '../settings/rules.ts';

export function foundMembers(options: Options, log: Log): FoundMembers {
  const { upstream, maxReplicas, dnsServers, dnsSettleMs } = options;
  const sources = [...soughtUpstreams(upstream)].map(([name, { lookup, weight }]) =>
    dnsSource({ name, weight, settleMs: dnsSettleMs, servers: dnsServers, record: lookup }),
  );
  const maxPlace = mostPlaces(options);
  const limits = { maxMembers: maxReplicas, maxPlace, freePlaces: maxPlace - upstreamPlaces(options) };
  return new FoundMembers(sources, limits, realClock, log);
}

/** The list that this balancer follows; `undefined` if it follows none. */
export function followedList(options: Options, log: Log): ListedMembers | undefined {
  const { role, members: path, maxReplicas } = options;
  if (role !== 'follower') return undefined;
  return listedMembers(
    listFile({ path, limits: { maxReplicas, maxPlace: mostPlaces(options) }, clock: realClock, log }),
  );
}
