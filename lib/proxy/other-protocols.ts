// Requests of RTSP and ICE (Icecast), which look like those of HTTP. Node's parser takes them and does not say so; passed on, they
// would become HTTP, which the client did not speak.

import { type IncomingMessage, METHODS } from 'node:http';
import type { Socket } from 'node:net';

const HTTP_METHODS: ReadonlySet<string> = new Set(METHODS);

// A request line of that connection was looked at.
const LOOKED_AT = Symbol('looked at');

interface Connection extends Socket {
  [LOOKED_AT]?: true;
  // Not in the documentation of Node, but there since 0.12: the bytes that are being parsed, as a copy.
  readonly parser?: { getCurrentBuffer?(): Buffer } | null;
}

/**
 * Takes back that a request is of HTTP/1, as the parser has it, if it is not: headers.ts refuses it then. To be called while its
 * head is being parsed.
 */
export function correctVersion(request: IncomingMessage): void {
  if (isOtherProtocol(request)) request.httpVersionMajor = 0;
}

// The parser takes only GET, POST, OPTIONS and its own methods for RTSP, and only SOURCE for ICE; all others cost nothing here. A
// look takes a copy of what was read, 1 µs, so GET and POST of HTTP/1.1 are looked at on the first request of a connection alone.
// What is not found out: such a GET or POST of RTSP/1.1 later on a connection, and one whose request line came in an earlier read
// than the end of its head.
function isOtherProtocol(request: IncomingMessage): boolean {
  const { method = '', httpVersionMinor } = request;
  const connection: Connection = request.socket;
  switch (method) {
    case 'GET':
    case 'POST':
      if (httpVersionMinor === 1 && connection[LOOKED_AT] === true) return false;
      connection[LOOKED_AT] = true;
      return protocolOf(request) === 'other';
    case 'OPTIONS':
      return protocolOf(request) === 'other';
    case 'SOURCE':
      return protocolOf(request) !== 'http';
    default:
      return !HTTP_METHODS.has(method);
  }
}

function protocolOf({ method, url, socket }: IncomingMessage): 'http' | 'other' | 'unknown' {
  const bytes = (socket as Connection).parser?.getCurrentBuffer?.();
  if (bytes === undefined) return 'unknown';
  // Nearly always: no more than two searches.
  if (method !== 'SOURCE' && !bytes.includes(' RTSP/') && !bytes.includes(' ICE/')) return 'http';
  for (const line of bytes.toString('latin1').split('\n')) {
    const [, asked, target, protocol] = /^([A-Z]+) +([^ ]+) +([A-Z]+)\/\d/.exec(line) ?? [];
    if (asked === method && target === url) return protocol === 'HTTP' ? 'http' : 'other';
  }
  return 'unknown';
}
