// Kinds of options that are lists: services, sources of keys, proxies. One bad entry makes the whole list bad.

import { isIP } from 'node:net';
import type { Address } from '../core/ports.ts';
import type { KeySource } from '../core/request/key-source.ts';
import { bounded, type Kind } from './kinds.ts';

/** Addresses by the text that they are written as, which serves as their hostname. */
export const upstreams: Kind<ReadonlyMap<string, Address>> = {
  unit: '',
  placeholder: 'LIST',
  bounds: 'a list of host:port and unix:/path',
  read: (written) => {
    const entries = written.split(',').map((entry) => [entry.trim(), readAddress(entry.trim())] as const);
    if (entries.some(([, address]) => address === undefined)) return undefined;
    const byName = new Map(entries as readonly (readonly [string, Address])[]);
    return byName.size === entries.length ? byName : undefined;
  },
  write: (value) => [...value.keys()].join(','),
};

export const keySources: Kind<readonly KeySource[]> = {
  unit: '',
  placeholder: 'LIST',
  bounds: 'a list of header:NAME, cookie:NAME, query:NAME, then client, path or request',
  read: (written) => {
    const sources = written.split(',').map((entry) => readKeySource(entry.trim()));
    // Every request has a client, a path and an id, so a source after one of these would never be used.
    const fits = sources.every(
      (source, index) => source !== undefined && (index === sources.length - 1 || 'name' in source),
    );
    return fits ? (sources as KeySource[]) : undefined;
  },
  write: (value) => value.map((source) => ('name' in source ? `${source.type}:${source.name}` : source.type)).join(','),
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
};

function isTrustEntry(entry: string): boolean {
  if (entry === 'loopback' || entry === 'all') return true;
  const [, address = '', , bits] = /^([\da-fA-F.:]+)(\/(\d{1,3}))?$/.exec(entry) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits ?? 0) <= (family === 4 ? 32 : 128);
}

function readAddress(written: string): Address | undefined {
  if (written.startsWith('unix:/')) return { type: 'unix', path: written.slice('unix:'.length) };
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(written) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || bounded(Number(port), 1, 65_535) === undefined) return undefined;
  return { type: 'tcp', host, port: Number(port) };
}

function readKeySource(written: string): KeySource | undefined {
  if (written === 'request' || written === 'client' || written === 'path') return { type: written };
  const [, type, name] = /^(header|cookie|query):([^\s;=,]+)$/.exec(written) ?? [];
  return name === undefined ? undefined : { type: type as 'header' | 'cookie' | 'query', name };
}
