// Makes the sources of members that the options name: where services are looked up that somebody else runs, and the
// list that a follower has.

import { realClock } from '../fleet/clock.ts';
import { dnsSource } from '../fleet/members/dns.ts';
import { FoundMembers, type Source } from '../fleet/members/found.ts';
import { foundList } from '../fleet/members/found-list.ts';
import { listFile } from '../fleet/members/list-file.ts';
import { type ListedMembers, listedMembers } from '../fleet/members/listed.ts';
import type { Log } from '../log.ts';
import { lookupIn, type SoughtUpstream, soughtUpstreams } from '../settings/lists/upstream.ts';
import type { Options } from '../settings/options.ts';
import { mostPlaces, upstreamPlaces } from '../settings/rules.ts';

export async function foundMembers(options: Options, log: Log): Promise<FoundMembers> {
  const sources = await Promise.all(
    [...soughtUpstreams(options.upstream)].map(([name, one]) => sourceOf(name, one, options)),
  );
  const maxPlace = mostPlaces(options);
  const limits = { maxMembers: options.maxReplicas, maxPlace, freePlaces: maxPlace - upstreamPlaces(options) };
  return new FoundMembers(sources, limits, realClock, log);
}

/** The list that this balancer follows; `undefined` if it follows none. */
export async function followedList(options: Options, log: Log): Promise<ListedMembers | undefined> {
  const { role, members, maxReplicas } = options;
  if (role !== 'follower') return undefined;
  const maxPlace = mostPlaces(options);
  const lookup = lookupIn(members);
  return listedMembers(
    lookup === undefined
      ? listFile({ path: members, limits: { maxReplicas, maxPlace }, clock: realClock, log })
      : foundList(
          await sourceOf(members, { lookup, weight: 1 }, options),
          { maxMembers: maxReplicas, maxPlace },
          realClock,
          log,
        ),
  );
}

async function sourceOf(name: string, { lookup, weight }: SoughtUpstream, options: Options): Promise<Source> {
  const { dnsServers, dnsSettleMs, dockerNetwork } = options;
  if (lookup.type === 'dns') {
    return dnsSource({ name, weight, settleMs: dnsSettleMs, servers: dnsServers, record: lookup });
  }
  // Loaded only if needed, as the runtime of containers is.
  const { swarmSource } = await import('../fleet/members/swarm.ts');
  return swarmSource({ name, weight, service: lookup.name, port: lookup.port, network: dockerNetwork });
}
