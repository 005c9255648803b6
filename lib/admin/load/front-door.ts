// Sends the requests of the built-in load to the port that clients use, as a client would: over TCP, on connections
// that are kept. What a reply says is read and dropped.

import { Agent, request } from 'node:http';
import type { KeyedRequest } from './keyed-request.ts';

/** The field that tells the load's requests from those of others, for access logs and services. */
export const LOAD_FIELD = 'X-Ringmaster-Load';

const LIMIT_MS = 10_000;

/** Gives the function that sends a request, and resolves with the status of its reply; 0 if there was none. */
export function frontDoor(): (url: string, wanted: KeyedRequest) => Promise<number> {
  // How many are open is the generator's to bound. Kept connections are unreferenced, and hold up no end.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  return (url, { path, headers, localAddress }) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const { hostname, port } = new URL(url);
    const fields = { 'User-Agent': 'ringmaster-load', ...headers, [LOAD_FIELD]: '1' };
    const from = localAddress === undefined ? {} : { localAddress };
    // An IPv6 address stands in brackets in a URL only.
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const asked = request({ agent, host, port, path, headers: fields, timeout: LIMIT_MS, ...from }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', () => resolve(0));
      response.once('close', () => resolve(0));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(0));
    asked.end();
    return promise;
  };
}
