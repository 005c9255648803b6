// The shapes of a replica's answers: JSON and the failure envelope of the contract, compact, with their length.

import type { ServerResponse } from 'node:http';

export function success(response: ServerResponse, body: unknown): void {
  reply(response, 200, JSON.stringify(body), 'application/json');
}

/** With `Retry-After` where it may be better soon. */
export function failure(response: ServerResponse, status: number, message: string): void {
  if (status === 503) response.setHeader('Retry-After', '1');
  reply(response, status, JSON.stringify({ message: `<Error> ${message}`, status: 'failure' }), 'application/json');
}

/** Node leaves the body out of an answer to HEAD by itself. */
export function reply(response: ServerResponse, status: number, body: string | Buffer, type: string | undefined): void {
  const typed = type === undefined ? {} : { 'Content-Type': type };
  response.writeHead(status, { ...typed, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
