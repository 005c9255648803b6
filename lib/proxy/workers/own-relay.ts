// In a worker: requests that are the balancer's own are answered in the main thread, where the fleet is. Each goes
// there as HTTP over a message port, with its body and the answer as streams, and what that would change of it goes
// beside it.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Clock } from '../../core/ports.ts';
import { BalancerError } from '../../errors.ts';
import { pathOf } from '../../http/target.ts';
import type { OwnAnswer } from '../front/http1/responses.ts';
import type { OwnEndpoints, OwnFacts } from './messages.ts';
import { PortStream } from './port-stream.ts';

export interface RelayTerms {
  readonly own: OwnEndpoints;
  readonly clock: Clock;
  /** For a client to take what is left of an answer, in ms. */
  readonly takeTimeoutMs: () => number;
  /** Gives a request to the main thread. */
  readonly send: (port: MessagePort, facts: OwnFacts) => void;
}

/** Takes the requests that are the balancer's own, as `PlanePorts` has it. */
export function ownRelay(terms: RelayTerms): (request: IncomingMessage) => OwnAnswer | undefined {
  return (request) => {
    if (terms.own.get(pathOf(request.url ?? '')) !== request.method) return undefined;
    return (response) => relay(terms, request, response);
  };
}

function relay({ send, clock, takeTimeoutMs }: RelayTerms, request: IncomingMessage, response: ServerResponse): void {
  const { port1, port2 } = new MessageChannel();
  const stream = new PortStream(port1);
  send(port2, factsOf(request));
  const { method, url } = request;
  const onward = http.request({ method, path: url, headers: framingOf(request), createConnection: () => stream });
  // The head goes out before there is a body.
  onward.flushHeaders();
  request.pipe(onward);
  // The front says here what it cannot parse, and that the client has ended its side.
  request.on('error', (error) => {
    if (error instanceof BalancerError) stream.fault({ message: error.message, code: error.code });
  });
  // It is for the other end to say what that means.
  const onEnd = () => request.complete && stream.end();
  request.socket.once('end', onEnd);
  response.once('close', () => {
    request.socket.off('end', onEnd);
    // What came whole is for the other end to judge, also when nobody waits for the answer.
    if (!request.complete || onward.writableFinished) stream.destroy();
    else onward.once('finish', () => stream.destroy()).end();
  });
  onward.on('continue', () => response.writeContinue());
  onward.on('error', () => response.destroy());
  onward.on('response', (answer) => {
    passOn(answer, request, response);
    answer.once('end', () => endInTime(clock, takeTimeoutMs(), response));
    answer.on('error', () => response.destroy());
  });
}

function passOn(answer: IncomingMessage, request: IncomingMessage, response: ServerResponse): void {
  const { rawHeaders, statusCode = 500 } = answer;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (!OF_THE_HOP.test(name)) response.appendHeader(name, rawHeaders[index + 1] as string);
  }
  // What was not read to its end cannot be followed by another request.
  if (!request.complete) response.setHeader('Connection', 'close');
  response.writeHead(statusCode);
  response.flushHeaders();
  answer.pipe(response);
}

const OF_THE_HOP = /^(connection|keep-alive|transfer-encoding|date)$/i;

// The main thread has no say any more in how long the rest of the answer takes.
function endInTime(clock: Clock, takeTimeoutMs: number, response: ServerResponse): void {
  if (response.writableFinished) return;
  const taken = new AbortController();
  response.once('close', () => taken.abort());
  clock.sleep(takeTimeoutMs, taken.signal).then(
    () => response.destroy(),
    () => undefined,
  );
}

function factsOf(request: IncomingMessage): OwnFacts {
  const { httpVersionMajor, httpVersionMinor, rawHeaders, headers } = request;
  return { httpVersionMajor, httpVersionMinor, rawHeaders, headers, address: request.socket.remoteAddress };
}

// All that the other end has to know to read the request; it is told the fields as they came.
function framingOf({ headers, httpVersionMinor }: IncomingMessage): Record<string, string> {
  const { 'transfer-encoding': coding, 'content-length': length = '0', expect } = headers;
  return {
    ...(coding === undefined ? { 'Content-Length': length } : { 'Transfer-Encoding': coding }),
    ...(expect === undefined || httpVersionMinor === 0 ? {} : { Expect: expect }),
  };
}
