// What a client is told when no replica's reply can be had: a whole reply in the failure envelope of the contract. Which error is
// which status is lib/errors.ts.

import { STATUS_CODES } from 'node:http';
import { type BalancerError, failureBody } from '../../errors.ts';

/** What is known of the request, if there is one. */
interface Asking {
  readonly method?: string | undefined;
  readonly httpVersionMinor: number;
}

/**
 * @param keepAlive the connection goes on after it. HTTP/1.0 is told either way: `ab -k` waits for the end of a connection that it
 * was not told of (test/proxy/old-clients.test.ts).
 * @param requestId as the log has it. It goes out as a field: the envelope has exactly the two members that scripts know. On
 * a reply of our own there is no application's X-Request-Id that it could be taken for.
 */
export function errorReply(error: BalancerError, requestId: number, keepAlive: boolean, asking?: Asking): string {
  // Non-ASCII text of a message as the bytes of its UTF-8: replies are written as latin1.
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
    (error.status === 503 ? 'Retry-After: 1\r\n' : '') +
    `${persistence}\r\n${asking?.method === 'HEAD' ? '' : body}`
  );
}
