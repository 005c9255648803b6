// Makes the sources of members that `--upstream` names: where services are looked up that somebody else runs.

import { realClock } from '../fleet/clock.ts';
import { dnsSource } from '../fleet/members/dns.ts';
import { FoundMembers } from '../fleet/members/found.ts';
import type { Log } from '../log.ts';
import { soughtUpstreams } from '../settings/lists/upstream.ts';
import { mostPlaces, type Options, upstreamPlaces } from '../settings/options.ts';

export function foundMembers(options: Options, log: Log): FoundMembers {
  const { upstream, maxReplicas, dnsServers, dnsSettleMs } = options;
  const sources = [...soughtUpstreams(upstream)].map(([name, { lookup, weight }]) =>
    dnsSource({ name, weight, settleMs: dnsSettleMs, servers: dnsServers, record: lookup }),
  );
  const maxPlace = mostPlaces(options);
  const limits = { maxMembers: maxReplicas, maxPlace, freePlaces: maxPlace - upstreamPlaces(options) };
  return new FoundMembers(sources, limits, realClock, log);
}
