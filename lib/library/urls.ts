// URLs of what a balancer listens on.

import { hostAndPort } from '../core/address.ts';

/** The URL with that host in it as it was given. */
export function urlOf(host: string, port: number): string {
  return `http://${hostAndPort(host, port)}`;
}

/** A URL that leads there from this machine. An address that stands for all of them is none to go to. */
export function localUrlOf(host: string, port: number): string {
  if (host === '0.0.0.0') return urlOf('127.0.0.1', port);
  return urlOf(host === '::' ? '::1' : host, port);
}
