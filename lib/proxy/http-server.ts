// How Node's `http.Server` is set up, and what its errors mean. It parses heads and bodies of requests; all else that it could do is
// switched off here, since others do it.

import http, { type IncomingMessage } from 'node:http';
import { BalancerError } from '../errors.ts';
import type { ParsedRequest } from './headers.ts';
import type { ProxyLimits } from './proxy-limits.ts';
import { offeredProtocols } from './upgrade.ts';

/** Not yet listening; all its events are for server.ts. */
export function createServer(limits: ProxyLimits): http.Server {
  const server = http.createServer({
    maxHeaderSize: limits.maxHeadBytes,
    headersTimeout: limits.headTimeoutMs,
    // The limits on bodies and on idle connections are looked after by client.ts and exchange.ts.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: Math.min(1000, limits.headTimeoutMs),
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    shouldUpgradeCallback: (request) => offeredProtocols(request as ParsedRequest & IncomingMessage) !== '',
  });
  // Size alone limits a head: fields over a count would be dropped silently.
  server.maxHeadersCount = 0;
  // A client that has sent all that it will may still wait for its reply. Not in the documentation of Node, but there since 0.7.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}

interface ParserError extends NodeJS.ErrnoException {
  // Of errors of the parser: what it was given last, and how far it came.
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** What a client is told whose bytes are not HTTP/1.1. After ECONNRESET and the like nobody is there to hear it. */
export function describeClientError(error: ParserError): BalancerError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new BalancerError('head-too-large', 'the head of the request is too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BalancerError('request-timeout', 'the head of the request took too long');
    case 'HPE_INVALID_METHOD':
      if (isRequestLine(error)) return new BalancerError('not-implemented', 'no such method is known here');
      return new BalancerError('bad-request', 'the request does not begin with a method');
    default:
      return new BalancerError('bad-request', `the request is not HTTP/1.1: ${error.message}`);
  }
}

// The parser knows a list of methods. One that is well formed but not in it is not the client's mistake (RFC 9110, 9.1).
function isRequestLine({ rawPacket, bytesParsed = 0 }: ParserError): boolean {
  const text = rawPacket?.toString('latin1') ?? '';
  const start = text.lastIndexOf('\n', bytesParsed) + 1;
  return /^[\w!#$%&'*+.^`|~-]+ [!-~]+ HTTP\/1\.[01]\r?\n/.test(text.slice(start));
}
