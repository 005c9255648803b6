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

/** `dns` without a port: the SRV records say it. */
export type Lookup = { readonly type: 'dns'; readonly name: string; readonly port: number | undefined };

export type Upstream = FixedUpstream | SoughtUpstream;

/** By the text that it is written as. That of an address stands for the hostname. */
export type Upstreams = ReadonlyMap<string, Upstream>;

export const upstreams: Kind<Upstreams> = {
  unit: '',
  placeholder: 'LIST',
  bounds: `a list of host:port, unix:/path, dns:name:port and dns:_service._proto.name, none twice, with \`*2\` to \`*${MAX_WEIGHT}\` for a weight`,
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
  const lookup = readLookup(name.toLowerCase());
  if (lookup !== undefined) return [name.toLowerCase(), { lookup, weight }];
  const address = parseAddress(name);
  return address === undefined ? undefined : [name, { address, weight }];
}

// A name of one label, such as `dns:80`, is a host at a port.
function readLookup(written: string): Lookup | undefined {
  const [, service, name = service, digits] =
    /^dns:(?:(_[\w.-]{1,252})|([\w.-]{1,253}):(\d{1,5}))$/.exec(written) ?? [];
  if (name === undefined) return undefined;
  if (digits === undefined) return { type: 'dns', name, port: undefined };
  const port = bounded(Number(digits), 1, 65_535);
  return port === undefined ? undefined : { type: 'dns', name, port };
}
