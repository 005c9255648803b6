// Builds the reply for a client that can get none from a replica, in the failure envelope of the contract.
// lib/errors.ts says which error has which status.

import { STATUS_CODES } from 'node:http';
import { BalancerError, failureBody } from '../../errors.ts';

/** What is known of the request, if there is one. */
interface Asking {
  readonly method?: string | undefined;
  readonly httpVersionMinor: number;
}

/**
 * @param keepAlive the connection stays open. HTTP/1.0 is told so explicitly: without it, `ab -k` waits for the
 * connection to end (test/proxy/old-clients.test.ts).
 * @param requestId the id in the log. It is sent as a field, since scripts rely on the envelope's two members. A reply
 * of our own has no X-Request-Id of an application that it could be confused with.
 */
export function errorReply(error: BalancerError, requestId: number, keepAlive: boolean, asking?: Asking): string {
  // Replies are written as latin1, so text that is not ASCII is turned into the bytes of its UTF-8 first.
  const body = Buffer.from(failureBody(error.message)).toString('latin1');
  const persistence = !keepAlive
    ? 'Connection: close\r\n'
    : asking?.httpVersionMinor === 0
      ? 'Connection: keep-alive\r\n'
      : '';
  return (
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nContent-Type: application/json\r\n` +
    'X-Content-Type-Options: nosniff\r\n' +
    `Content-Length: ${body.length}\r\nDate: ${new Date().toUTCString()}\r\nX-Request-Id: ${requestId}\r\n` +
    (error.status === 503 ? `Retry-After: ${error.retryAfterS(requestId)}\r\n` : '') +
    `${persistence}\r\n${asking?.method === 'HEAD' ? '' : body}`
  );
}

/** The error for a client that will send no more although its request is incomplete. */
export function endedTooEarly(): BalancerError {
  return new BalancerError('client-left', 'the client ended its side before its request was whole');
}

/** The size of a reply's body. @param reply the whole of it, each byte as a character. */
export function bodyBytesOf(reply: string): number {
  return reply.length - reply.indexOf('\r\n\r\n') - '\r\n\r\n'.length;
}
