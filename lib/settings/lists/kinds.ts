// Kinds of options of several parts: sources of keys, proxies, variables, volumes, bounds. One bad part makes the whole
// bad.

import { isIP } from 'node:net';
import { parseAddress } from '../../core/address.ts';
import { parseKeySpec, writeKeySpec } from '../../core/keys/key-spec.ts';
import type { KeySource } from '../../core/request/key-source.ts';
import { bounded, type Kind, path } from '../kinds.ts';
import { LIST_SCHEMA, TEXTS_SCHEMA } from '../schema.ts';
import { lookupIn } from './upstream.ts';

export const keySources: Kind<readonly KeySource[]> = {
  unit: '',
  placeholder: 'LIST',
  bounds:
    'a list of header:NAME, cookie:NAME, query:NAME, path:N, path:/a/{}, host, json:FIELD, prompt, learn:cookie=NAME, then client, path or request; + joins several',
  read: (written) => {
    const parsed = parseKeySpec(written);
    return 'fault' in parsed ? undefined : parsed.sources;
  },
  fault: (written) => {
    const parsed = parseKeySpec(written);
    if (!('fault' in parsed)) return undefined;
    const { entry, at, what } = parsed.fault;
    return `at character ${at + 1}, ${JSON.stringify(entry)}: ${what}`;
  },
  write: writeKeySpec,
  schema: LIST_SCHEMA,
};

/** Addresses and networks in the form that they are written in; `off` gives the empty list. */
export const trustedProxies: Kind<readonly string[]> = {
  unit: '',
  placeholder: 'LIST|off',
  bounds: 'addresses, networks like 10.0.0.0/8, loopback, all, or off',
  read: (written) => {
    if (written === 'off') return [];
    const entries = written.split(',').map((entry) => entry.trim());
    return entries.every(isTrustEntry) ? entries : undefined;
  },
  write: (value) => (value.length === 0 ? 'off' : value.join(',')),
  schema: LIST_SCHEMA,
};

/** URLs of other balancers, where their own endpoints are: scheme, host and port alone. */
export const peerUrls: Kind<readonly string[]> = {
  unit: '',
  placeholder: 'LIST',
  bounds: 'a list of URLs such as http://10.0.0.2:5001, none twice',
  read: (written) => {
    const entries = written.split(',').map((entry) => entry.trim());
    const origins = entries.map((entry) =>
      /^http:\/\/[^/?#@\s]+\/?$/.test(entry) ? URL.parse(entry)?.origin : undefined,
    );
    const known = origins.filter((origin) => origin !== undefined);
    return new Set(known).size === entries.length ? known : undefined;
  },
  write: (value) => value.join(','),
  schema: LIST_SCHEMA,
};

/** Where a list of members is: the path of a file, or a name that is looked up. */
export const memberSource: Kind<string> = {
  unit: '',
  placeholder: 'PATH|NAME',
  bounds: 'a path, dns:name:port, dns:_service._proto.name or swarm:service:port',
  // A file whose name begins so has a path all the same: ./dns:…
  read: (written) => {
    if (/^(dns|swarm):/.test(written)) return lookupIn(written) === undefined ? undefined : written;
    return path.read(written);
  },
  write: (value) => value,
  schema: path.schema,
};

/** Addresses of name servers, each with a port or without one. */
export const nameServers: Kind<readonly string[]> = {
  unit: '',
  placeholder: 'LIST',
  bounds: 'a list of addresses, each with `:port` behind it or without, an IPv6 one in brackets then',
  read: (written) => {
    const entries = written === '' ? [] : written.split(',').map((entry) => entry.trim());
    return entries.every(isServer) ? entries : undefined;
  },
  write: (value) => value.join(','),
  schema: LIST_SCHEMA,
};

const lines = {
  split: (variable: string) => variable.split('\n').filter((line) => line !== ''),
  join: (values: readonly (readonly string[])[]) => [...new Set(values.flat())],
};

/** Environment variables by name. A value may hold anything, commas, `=` and line ends included. */
export const variables: Kind<ReadonlyMap<string, string>> = {
  unit: '',
  placeholder: 'NAME=VALUE',
  bounds: 'NAME=VALUE; repeat the flag for more, or write one a line',
  read: (written) => {
    const [, name, value = ''] = /^([^=\s\0]+)=([^\0]*)$/.exec(written) ?? [];
    return name === undefined ? undefined : new Map([[name, value]]);
  },
  write: (value) => [...value].map(([name, text]) => `${name}=${text}`).join('\n'),
  secret: true,
  repeated: {
    split: (variable) => variable.split('\n').filter((line) => line !== ''),
    join: (values) => new Map(values.flatMap((one) => [...one])),
  },
  schema: TEXTS_SCHEMA,
};

/** Names of Docker volumes, by the absolute path at which each is mounted. */
export const volumes: Kind<ReadonlyMap<string, string>> = {
  unit: '',
  placeholder: 'NAME:PATH',
  bounds: 'NAME:/PATH, in the environment one a line',
  read: (written) => {
    const [, name, path] = /^([a-zA-Z\d][\w.-]+):(\/[^:\0]+)$/.exec(written) ?? [];
    return name === undefined || path === undefined ? undefined : new Map([[path, name]]);
  },
  write: (value) => [...value].map(([path, name]) => `${name}:${path}`).join('\n'),
  repeated: {
    split: (variable) => variable.split('\n').filter((line) => line !== ''),
    join: (values) => new Map(values.flatMap((one) => [...one])),
  },
  schema: TEXTS_SCHEMA,
};

/** Where tasks of a Swarm may run, each as the Swarm writes it. */
export const constraints: Kind<readonly string[]> = {
  unit: '',
  placeholder: 'CONSTRAINT',
  bounds: 'such as node.role==worker or node.labels.zone!=b, in the environment one a line',
  read: (written) => (/^[a-z][\w.-]* *(==|!=) *[^\s=!\0][^\0\n]*$/.test(written) ? [written] : undefined),
  write: (value) => value.join('\n'),
  repeated: lines,
  schema: TEXTS_SCHEMA,
};

/** Names of secrets of a Swarm. */
export const secretNames: Kind<readonly string[]> = {
  unit: '',
  placeholder: 'NAME',
  bounds: 'letters, digits, `_`, `.` and `-`, in the environment one a line',
  read: (written) => (/^[a-zA-Z\d][\w.-]{0,63}$/.test(written) ? [written] : undefined),
  write: (value) => value.join('\n'),
  repeated: lines,
  schema: TEXTS_SCHEMA,
};

/** The fewest and the most replicas. */
export type Autoscale = 'off' | { readonly least: number; readonly most: number };

export const autoscale: Kind<Autoscale> = {
  unit: '',
  placeholder: 'MIN:MAX|off',
  bounds: 'MIN:MAX, whole numbers from 0 to 1000 with MIN at most MAX, and MAX at least 1; or off',
  read: (written) => {
    if (written === 'off') return 'off';
    const [, fewest, highest] = /^(\d{1,4}):(\d{1,4})$/.exec(written) ?? [];
    const most = bounded(Number(highest), 1, 1000);
    const least = most === undefined ? undefined : bounded(Number(fewest), 0, most);
    return most === undefined || least === undefined ? undefined : { least, most };
  },
  write: (value) => (value === 'off' ? 'off' : `${value.least}:${value.most}`),
  schema: { type: 'string', pattern: '^(off|\\d{1,4}:\\d{1,4})$' },
};

function isTrustEntry(entry: string): boolean {
  if (entry === 'loopback' || entry === 'all') return true;
  const [, address = '', , bits] = /^([\da-fA-F.:]+)(\/(\d{1,3}))?$/.exec(entry) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits ?? 0) <= (family === 4 ? 32 : 128);
}

function isServer(entry: string): boolean {
  if (isIP(entry) !== 0) return true;
  const address = parseAddress(entry);
  return address?.type === 'tcp' && isIP(address.host) !== 0;
}
