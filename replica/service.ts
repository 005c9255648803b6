// Answers the requests of a replica: the contract's home, heartbeat and votes, the site, and 400 for every other path.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { failure, reply, success } from './replies.ts';
import { readSite } from './site.ts';
import { showVotes, takeVote } from './vote-endpoints.ts';
import type { VoteStream } from './vote-stream.ts';
import type { Votes } from './votes.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function createService(id: string, votes: Votes, stream: VoteStream): RequestListener {
  const hello = { message: `Hello from Server: ${id}`, status: 'successful' };
  const site = Object.entries(readSite()).map(([path, GET]) => [path, { GET }]);
  const routes: Record<string, Record<string, Handler>> = {
    ...Object.fromEntries(site),
    '/home': forAllOrigins((_, response) => success(response, hello)),
    '/heartbeat': forAllOrigins((_, response) => reply(response, 200, '', undefined)),
    '/api/votes': { GET: (_, response) => void showVotes(signed(response), votes) },
    '/api/votes/stream': { GET: (request, response) => stream.serve(request, signed(response)) },
    '/api/vote': { POST: (request, response) => void takeVote(request, signed(response), votes) },
  };
  // The bodies of the contract have no room for who answered, so a field says it.
  const signed = (response: ServerResponse) => response.setHeader('X-Served-By', id);
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (methods === undefined) return failure(response, 400, `'${path}' endpoint does not exist in server replicas`);
    const handler = methods[request.method === 'HEAD' ? 'GET' : (request.method ?? '')];
    if (handler === undefined) {
      const allowed = Object.keys(methods).join(', ');
      response.setHeader('Allow', allowed);
      // HAProxy's `option httpchk` asks this by default.
      if (request.method === 'OPTIONS') return reply(response, 200, '', undefined);
      return failure(response, 405, `'${path}' takes ${allowed}, not ${request.method}`);
    }
    handler(request, response);
  };
}

// Pages of any origin may read that a replica is there, and its name, but no votes.
function forAllOrigins(get: Handler): Record<string, Handler> {
  return {
    GET: (request, response) => get(request, response.setHeader('Access-Control-Allow-Origin', '*')),
    // A browser asks this first if a page sends a field of its own
    // (https://fetch.spec.whatwg.org/#cors-preflight-fetch).
    OPTIONS: (_, response) => {
      response.writeHead(204, {
        Allow: 'GET, HEAD, OPTIONS',
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS',
        'Access-Control-Allow-Headers': '*',
      });
      response.end();
    },
  };
}
