// How Node's `http.Server` is set up, and what its errors mean. It parses heads and bodies of requests; all else that it could do is
// switched off here, since others do it.

import http from 'node:http';
import { BalancerError } from '../../../errors.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { endedTooEarly } from './client.ts';
import { correctVersion } from './other-protocols.ts';
import { QuietResponse } from './own-requests.ts';
import type { ParserError } from './parser.ts';

/** Not yet listening; all its events are for server.ts. */
export function createServer(limits: ProxyLimits): http.Server {
  const server = http.createServer({
    ServerResponse: QuietResponse,
    maxHeaderSize: limits.maxHeadBytes,
    headersTimeout: limits.headTimeoutMs,
    // The limits on bodies and on idle connections are looked after by client.ts and exchange.ts.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: Math.min(1000, limits.headTimeoutMs),
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    // Also of what is passed over: server.ts has such a request read once more, without it.
    shouldUpgradeCallback: (request) => {
      correctVersion(request);
      return true;
    },
  });
  applyLimits(server, limits);
  // A client that has sent all that it will may still wait for its reply. Not in the documentation of Node, but there since 0.7.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}

/** What can change while it listens. */
export function applyLimits(server: http.Server, limits: ProxyLimits): void {
  server.headersTimeout = limits.headTimeoutMs;
  // Fields over this count are dropped silently: one more than there may be says that there were too many.
  server.maxHeadersCount = limits.maxFields + 1;
}

/** What a client is told whose bytes are not HTTP/1.1. */
export function describeClientError(error: ParserError): BalancerError {
  switch (error.code) {
    case 'HPE_INVALID_EOF_STATE':
      return endedTooEarly();
    case 'HPE_HEADER_OVERFLOW':
      return new BalancerError('head-too-large', 'the head of the request is too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BalancerError('request-timeout', 'the head of the request took too long');
    case 'HPE_INVALID_CONSTANT':
      // The methods of RTSP, which the parser knows: FLUSH, DESCRIBE and others.
      if (error.reason === 'Invalid method for HTTP/x.x request') return unknownMethod();
      return notHttp(error);
    case 'HPE_INVALID_METHOD':
      if (isRequestLine(error)) return unknownMethod();
      return new BalancerError('bad-request', 'the request does not begin with a method');
    default:
      return notHttp(error);
  }
}

function unknownMethod(): BalancerError {
  return new BalancerError('not-implemented', 'no such method is known here');
}

function notHttp(error: ParserError): BalancerError {
  return new BalancerError('bad-request', `the request is not HTTP/1.1: ${error.message}`);
}

// The parser knows a list of methods. One that is well formed but not in it is not the client's mistake (RFC 9110, 9.1).
function isRequestLine({ rawPacket, bytesParsed = 0 }: ParserError): boolean {
  const text = rawPacket?.toString('latin1') ?? '';
  const start = text.lastIndexOf('\n', bytesParsed) + 1;
  return /^[\w!#$%&'*+.^`|~-]+ [!-~]+ HTTP\/1\.[01]\r?\n/.test(text.slice(start));
}
