// Members by a name of the DNS: the addresses of a host, A or else AAAA, or the targets of a service, SRV (RFC 2782).
// Of SRV records only those of the lowest priority count, and their weights are ignored, since a seat's share of the
// ring must not change with each answer.

import type { RecordWithTtl, SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { hostAndPort, parseAddress } from '../../core/address.ts';
import type { Address, FoundMember } from '../../core/ports.ts';
import type { Sighting, Source } from './found.ts';

export interface DnsTerms extends Pick<Source, 'name' | 'weight' | 'settleMs'> {
  /** `port` is `undefined` for a service, whose records say it. */
  readonly record: { readonly name: string; readonly port: number | undefined };
  /** Addresses of name servers; empty for those of the system. */
  readonly servers: readonly string[];
}

// Docker says 600 s of every container, so long times mean little, and an answer that may be kept for no time at all
// must not be asked for all the time.
const LEAST_AGAIN_MS = 1000;
const MOST_AGAIN_MS = 5000;
const ATTEMPT_MS = 2000;
const ATTEMPTS = 2;
// Each is looked up too.
const MOST_TARGETS = 1000;

/** A member's hostname is its address, or the target and port of its record. */
export function dnsSource({ record, servers, ...source }: DnsTerms): Source {
  const { name, port } = record;
  return {
    ...source,
    look: async (signal) => {
      // A new one each time, so that it goes by what /etc/resolv.conf says now.
      const resolver = new Resolver({ timeout: ATTEMPT_MS, tries: ATTEMPTS });
      if (servers.length > 0) resolver.setServers(servers);
      const cancel = () => resolver.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        return port === undefined ? await ofService(resolver, name) : await ofHost(resolver, name, port);
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },
  };
}

async function ofHost(resolver: Resolver, name: string, port: number): Promise<Sighting> {
  const found = (await addresses(resolver, name)) ?? [];
  const members = found.map(({ address }) => ({ hostname: hostAndPort(address, port), address: at(address, port) }));
  return { members: unlike(members), againMs: againAfter(found) };
}

async function ofService(resolver: Resolver, name: string): Promise<Sighting> {
  const records = (await resolver.resolveSrv(name).catch(unlessNone)) ?? [];
  const targets = preferred(records).slice(0, MOST_TARGETS);
  const found = await Promise.all(targets.map(async (one) => ({ ...one, hosts: await addresses(resolver, one.name) })));
  const members = found.map(({ name, port, hosts = [] }): FoundMember => {
    // One target is one member. The order of answers changes, so the first by the alphabet is taken.
    const [address] = hosts.map((one) => one.address).sort();
    return { hostname: `${name}:${port}`, address: address === undefined ? undefined : at(address, port) };
  });
  return { members: unlike(members), againMs: againAfter(found.flatMap(({ hosts = [] }) => hosts)) };
}

// The attack: a target may hold any bytes, and is told in fields of replies and in the log. A `.` means that there is
// no such service.
function preferred(records: readonly SrvRecord[]): SrvRecord[] {
  const lowest = Math.min(...records.map(({ priority }) => priority));
  return records
    .filter(({ priority, name, port }) => priority === lowest && parseAddress(`${name}:${port}`) !== undefined)
    .sort((a, b) => compared(a.name, b.name) || a.port - b.port);
}

// In the order of numbers, so that app-2 comes before app-10 and all balancers seat them alike.
function compared(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

// `undefined` if the name has none. Rejects if nobody knows, since AAAA must not stand in for A that are only late.
async function addresses(resolver: Resolver, name: string): Promise<RecordWithTtl[] | undefined> {
  const four = await resolver.resolve4(name, { ttl: true }).catch(unlessNone);
  const found = four ?? (await resolver.resolve6(name, { ttl: true }).catch(unlessNone));
  return found?.sort((a, b) => compared(a.address, b.address));
}

// The name is not there, or has no such records.
function unlessNone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOTFOUND' && error.code !== 'ENODATA') throw error;
}

function unlike(members: readonly FoundMember[]): FoundMember[] {
  return [...new Map(members.map((member) => [member.hostname, member])).values()];
}

function againAfter(found: readonly RecordWithTtl[]): number {
  const leastMs = 1000 * Math.min(...found.map(({ ttl }) => ttl));
  return Math.min(MOST_AGAIN_MS, Math.max(LEAST_AGAIN_MS, leastMs));
}

function at(host: string, port: number): Address {
  return { type: 'tcp', host, port };
}
