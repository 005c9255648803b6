// Sets up Node's `http.Server`, and translates its errors. It only parses heads and bodies of requests. Everything else
// that it can do is switched off here, since other files do it.

import http from 'node:http';
import type { Socket } from 'node:net';
import { BalancerError } from '../../../errors.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { endedTooEarly } from '../error-reply.ts';
import { correctVersion } from './other-protocols.ts';
import type { ParserError } from './parser.ts';
import { SILENT } from './responses.ts';

/** Makes a server that does not listen yet. server.ts handles all its events. */
export function createServer(limits: ProxyLimits): http.Server {
  const server = http.createServer({
    ServerResponse: SILENT,
    maxHeaderSize: limits.maxHeadBytes,
    headersTimeout: limits.headTimeoutMs,
    // client.ts and exchange.ts enforce the limits on bodies and on idle connections.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    // The time for a head may change while the server listens, and this cannot.
    connectionsCheckingInterval: 200,
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    // Node asks this about each offer. Also for an offer that is ignored the answer is yes: server.ts has that request
    // read again, without it.
    shouldUpgradeCallback: (request) => {
      correctVersion(request);
      return true;
    },
  });
  applyLimits(server, limits);
  // A client that has sent everything may still wait for its reply. Undocumented, but in Node since 0.7.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}

/**
 * Has connections given to `admit`, and not to the server itself.
 * @returns what gives a connection to the server.
 */
export function interceptConnections(server: http.Server, admit: (socket: Socket) => void): (socket: Socket) => void {
  const [serve] = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', admit);
  return (socket) => serve?.call(server, socket);
}

/** Applies the limits that can change while the server listens. */
export function applyLimits(server: http.Server, limits: ProxyLimits): void {
  server.headersTimeout = limits.headTimeoutMs;
  // The server silently drops fields over this count. One more than the limit shows that there were too many.
  server.maxHeadersCount = limits.maxFields + 1;
}

/** The error for a client whose bytes are not HTTP/1.1. */
export function describeClientError(error: ParserError): BalancerError {
  switch (error.code) {
    case 'HPE_INVALID_EOF_STATE':
      return endedTooEarly();
    case 'HPE_HEADER_OVERFLOW':
      return new BalancerError('head-too-large', 'the head of the request is too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BalancerError('request-timeout', 'the head of the request took too long');
    case 'HPE_INVALID_CONSTANT':
      // This is the parser's error for the methods of RTSP, such as FLUSH and DESCRIBE, which it knows.
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

// The parser knows a fixed list of methods. A request line with another one is well formed and no mistake of the client
// (RFC 9110, 9.1).
function isRequestLine({ rawPacket, bytesParsed = 0 }: ParserError): boolean {
  const text = rawPacket?.toString('latin1') ?? '';
  const start = text.lastIndexOf('\n', bytesParsed) + 1;
  return /^[\w!#$%&'*+.^`|~-]+ [!-~]+ HTTP\/1\.[01]\r?\n/.test(text.slice(start));
}
