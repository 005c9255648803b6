// After an upgrade the process before still has connections, and on one of them may come a request for the balancer's
// own endpoints. It no longer has the fleet, so the request goes on to the process that has it.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { adminPlace } from '../parts/admin-place.ts';
import type { Options } from '../settings/options.ts';

/** Where a process of this machine finds the balancer's own endpoints. */
export type OwnPlace = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** @param port that is listened on for clients. */
export function ownPlace(options: Options, port: number): OwnPlace {
  const { own } = adminPlace(options, '');
  if (own?.type === 'unix') return { socketPath: own.path };
  return { host: reachable(own?.host ?? options.host), port: own?.port ?? port };
}

/** Answers a request as whoever listens there does. */
export function onwardTo(place: OwnPlace): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { method, url, rawHeaders, headers } = request;
    const fields = rawHeaders.filter((_, index) => !OF_THE_HOP.test(rawHeaders[index - (index % 2)] as string));
    if (headers.expect !== undefined && request.httpVersionMinor > 0) response.writeContinue();
    const onward = http.request({ ...place, method, path: url, headers: fields, agent: false }, (answer) => {
      for (const [name, value] of Object.entries(answer.headers)) {
        if (value !== undefined && !OF_THE_HOP.test(name) && !FRAMING.test(name)) response.setHeader(name, value);
      }
      response.setHeader('Connection', 'close');
      response.writeHead(answer.statusCode ?? 500);
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    onward.once('error', () => response.destroy());
    request.on('error', () => onward.destroy());
    response.once('close', () => onward.destroy());
    request.pipe(onward);
  };
}

const OF_THE_HOP = /^(connection|keep-alive|expect)$/i;
const FRAMING = /^(transfer-encoding|date)$/i;

// Whoever listens on all addresses is reached at that of this machine.
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
