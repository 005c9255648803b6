// In the main thread: answers the requests that are the balancer's own and came to a worker, as if they had come here.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { MessagePort } from 'node:worker_threads';
import { BalancerError, type ErrorCode } from '../../errors.ts';
import type { OwnAnswer } from '../front/http1/responses.ts';
import type { ErrorData, OwnFacts } from './messages.ts';
import { PortStream } from './port-stream.ts';

/** Answers one such request. */
export type OwnServer = (port: MessagePort, facts: OwnFacts) => void;

/** @param ownAnswer gives what answers a request. That it gives nothing is not expected of it. */
export function createOwnServer(ownAnswer: (request: IncomingMessage) => OwnAnswer | undefined): OwnServer {
  // It never listens. Limits on heads, and on the time that a client has, are kept where the client is.
  const server = http.createServer({ requireHostHeader: false, requestTimeout: 0, headersTimeout: 0 });
  Object.assign(server, { httpAllowHalfOpen: true });
  const arriving = new WeakMap<object, OwnFacts>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const stream = request.socket as unknown as PortStream;
    restore(request, arriving.get(stream) as OwnFacts);
    const answer = ownAnswer(request);
    if (answer === undefined) stream.destroy();
    else answer(response);
    stream.hearFault((error) => breakOff(request, stream, error));
  };
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  return (port, facts) => {
    const stream = new PortStream(port, facts.address);
    stream.on('error', () => undefined);
    arriving.set(stream, facts);
    server.emit('connection', stream);
  };
}

function restore(request: IncomingMessage, facts: OwnFacts): void {
  const { httpVersionMajor, httpVersionMinor, rawHeaders, headers } = facts;
  const httpVersion = `${httpVersionMajor}.${httpVersionMinor}`;
  Object.assign(request, { httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, headers });
}

// As the front does it with a request of its own thread.
function breakOff(request: IncomingMessage, stream: PortStream, { code, message }: ErrorData): void {
  if (request.complete || request.listenerCount('error') === 0) stream.destroy();
  else request.emit('error', new BalancerError(code as ErrorCode, message));
}
