// Makes the sources of members that `--upstream` names: where services are looked up that somebody else runs.

import { realClock } from '../fleet/clock.ts';
import { dnsSource } from '../fleet/members/dns.ts';
import { FoundMembers, type Source } from '../fleet/members/found.ts';
import type { Log } from '../log.ts';
import { type SoughtUpstream, soughtUpstreams } from '../settings/lists/upstream.ts';
import { mostPlaces, type Options, upstreamPlaces } from '../settings/options.ts';

export async function foundMembers(options: Options, log: Log): Promise<FoundMembers> {
  const sources = await Promise.all(
    [...soughtUpstreams(options.upstream)].map(([name, one]) => sourceOf(name, one, options)),
  );
  const maxPlace = mostPlaces(options);
  const limits = { maxMembers: options.maxReplicas, maxPlace, freePlaces: maxPlace - upstreamPlaces(options) };
  return new FoundMembers(sources, limits, realClock, log);
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
