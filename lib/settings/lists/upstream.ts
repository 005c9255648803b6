// The kind of `--upstream`: services that somebody else runs, each at an address, or by a name that is looked up again
// and again while the balancer runs.

import { foldedAddress, parseAddress } from '../../core/address.ts';
import { MAX_WEIGHT } from '../../core/fleet/fleet-state.ts';
import type { Address } from '../../core/ports.ts';
import { bounded, type Kind } from '../kinds.ts';
import { LIST_SCHEMA } from '../schema.ts';

/** A service at an address. */
export interface FixedUpstream {
  readonly address: Address;
  readonly weight: number;
}

/** Services that are looked up, each of which has that weight. */
export interface SoughtUpstream {
  readonly lookup: Lookup;
  readonly weight: number;
}

/** What is looked up. Without a port, the SRV records of the name say it, or what the Swarm service publishes. */
export interface Lookup {
  readonly type: 'dns' | 'swarm';
  readonly name: string;
  readonly port: number | undefined;
}

export type Upstream = FixedUpstream | SoughtUpstream;

/** By the text that it is written as. That of an address stands for the hostname. */
export type Upstreams = ReadonlyMap<string, Upstream>;

export const upstreams: Kind<Upstreams> = {
  unit: '',
  placeholder: 'LIST',
  bounds: `a list of host:port, unix:/path, dns:name:port, dns:_service._proto.name and swarm:service:port, none twice, with \`*2\` to \`*${MAX_WEIGHT}\` for a weight`,
  read: (written) => {
    const texts = written.split(',');
    const entries = texts.map((entry) => readUpstream(entry.trim())).filter((entry) => entry !== undefined);
    // As /add and /rm compare them: `App:80` and `app:080` are one service.
    const services = new Set(entries.map(([name, one]) => ('address' in one ? foldedAddress(one.address) : name)));
    return services.size === texts.length ? new Map(entries) : undefined;
  },
  write: (value) => [...value].map(([name, { weight }]) => (weight === 1 ? name : `${name}*${weight}`)).join(','),
  schema: LIST_SCHEMA,
};

/** Those at addresses, by their hostnames. */
export function fixedUpstreams(all: Upstreams): Map<string, FixedUpstream> {
  return new Map([...all].flatMap(([name, one]) => ('address' in one ? [[name, one] as const] : [])));
}

/** Those that are looked up, by the names of their sources. */
export function soughtUpstreams(all: Upstreams): Map<string, SoughtUpstream> {
  return new Map([...all].flatMap(([name, one]) => ('lookup' in one ? [[name, one] as const] : [])));
}

function readUpstream(written: string): readonly [string, Upstream] | undefined {
  const [, name = '', digits = '1'] = /^(.*?)(?:\*(\d{1,2}))?$/.exec(written) ?? [];
  const weight = Number(digits);
  if (bounded(weight, 1, MAX_WEIGHT) === undefined) return undefined;
  const lookup = readLookup(name);
  if (lookup !== undefined) return [lookupText(lookup), { lookup, weight }];
  const address = parseAddress(name);
  return address === undefined ? undefined : [name, { address, weight }];
}

/** What this text of `--members` looks up; `undefined` for the path of a file. */
export function lookupIn(members: string): Lookup | undefined {
  return readLookup(members);
}

// `dns:80` and `swarm:80` are hosts at a port. Names of the DNS are the same in any case, those of Swarm are not.
function readLookup(written: string): Lookup | undefined {
  const [, type, name = '', digits] = /^(dns|swarm):([\w.-]{1,253})(?::(\d{1,5}))?$/.exec(written) ?? [];
  if (type !== 'dns' && type !== 'swarm') return undefined;
  const port = digits === undefined ? undefined : bounded(Number(digits), 1, 65_535);
  if (digits !== undefined && port === undefined) return undefined;
  if (type === 'swarm') return /^\d+$/.test(name) ? undefined : { type, name, port };
  return port === undefined && !name.startsWith('_') ? undefined : { type, name: name.toLowerCase(), port };
}

function lookupText({ type, name, port }: Lookup): string {
  return port === undefined ? `${type}:${name}` : `${type}:${name}:${port}`;
}
