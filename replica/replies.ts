// The forms of a replica's answers: JSON, and the failure envelope of the contract, compact and with their length.

import type { ServerResponse } from 'node:http';

export function success(response: ServerResponse, body: unknown): void {
  reply(response, 200, JSON.stringify(body), 'application/json');
}

export function failure(response: ServerResponse, status: number, message: string): void {
  reply(response, status, JSON.stringify({ message: `<Error> ${message}`, status: 'failure' }), 'application/json');
}

/** Answers with a failure that may be over soon. Nothing was done, so repeating the request does no harm. */
export function unavailable(response: ServerResponse, message: string): void {
  response.setHeader('Retry-After', '1');
  failure(response, 503, message);
}

/** Node itself leaves the body out of an answer to HEAD. */
export function reply(response: ServerResponse, status: number, body: string | Buffer, type: string | undefined): void {
  const typed = type === undefined ? {} : { 'Content-Type': type };
  // The attack: a browser takes an answer with somebody's text in it for a page.
  const head = { ...typed, 'X-Content-Type-Options': 'nosniff', 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, head);
  response.end(body);
}
