// What a replica answers: the contract's home, heartbeat and votes, and 400 for every path that it does not have.

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { page } from './page.ts';
import { isOption, OPTIONS, type Votes } from './votes.ts';

const MAX_BODY_BYTES = 4096;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export function createService(id: string, votes: Votes): RequestListener {
  const routes: Record<string, Record<string, Handler>> = {
    '/': { GET: (_, response) => reply(response, 200, page(id), 'text/html; charset=utf-8') },
    '/home': { GET: (_, response) => success(response, { message: `Hello from Server: ${id}`, status: 'successful' }) },
    '/heartbeat': { GET: (_, response) => reply(response, 200, '', undefined) },
    '/api/votes': { GET: (_, response) => success(response, votes.counts()) },
    '/api/vote': { POST: (request, response) => void vote(request, response, votes) },
  };
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (methods === undefined) return failure(response, 400, `'${path}' endpoint does not exist in server replicas`);
    // Node leaves the body of an answer to HEAD out by itself.
    const handler = methods[request.method === 'HEAD' ? 'GET' : (request.method ?? '')];
    if (handler === undefined) {
      const allowed = Object.keys(methods).join(', ');
      response.setHeader('Allow', allowed);
      return failure(response, 405, `'${path}' takes ${allowed}, not ${request.method}`);
    }
    try {
      handler(request, response);
    } catch (error) {
      failure(response, 503, `the votes cannot be read: ${error instanceof Error ? error.message : error}`);
    }
  };
}

async function vote(request: IncomingMessage, response: ServerResponse, votes: Votes): Promise<void> {
  let option: unknown;
  try {
    option = JSON.parse(await readBody(request))?.option;
  } catch (error) {
    return failure(response, 400, `the body is not a vote: ${error instanceof Error ? error.message : error}`);
  }
  if (!isOption(option)) {
    return failure(response, 400, `option must be one of ${OPTIONS.join(', ')}, not ${JSON.stringify(option)}`);
  }
  try {
    success(response, { votes: votes.add(option) });
  } catch (error) {
    failure(response, 503, `the vote was not counted: ${error instanceof Error ? error.message : error}`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Left whole when the body is refused: the answer still has to go out on its connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES) throw new Error(`it is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function success(response: ServerResponse, body: unknown): void {
  reply(response, 200, JSON.stringify(body), 'application/json');
}

function failure(response: ServerResponse, status: number, message: string): void {
  reply(response, status, JSON.stringify({ message: `<Error> ${message}`, status: 'failure' }), 'application/json');
}

function reply(response: ServerResponse, status: number, body: string, type: string | undefined): void {
  const typed = type === undefined ? {} : { 'Content-Type': type };
  response.writeHead(status, { ...typed, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
