// Requests of RTSP and ICE (Icecast), which look like those of HTTP. Node's parser takes them and does not say so; passed on, they
// would become HTTP, which the client did not speak.

import { type IncomingMessage, METHODS } from 'node:http';
import type { Socket } from 'node:net';

const HTTP_METHODS: ReadonlySet<string> = new Set(METHODS);

/** What was found in the last read of a connection that was looked at. */
interface Look {
  readonly bytesRead: number;
  /** Request lines by method and target, if there is one of another protocol or of SOURCE. */
  readonly lines: ReadonlyMap<string, 'http' | 'other'> | undefined;
}

const LOOK = Symbol('look');

interface Connection extends Socket {
  [LOOK]?: Look | undefined;
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

// The parser takes only GET, POST, OPTIONS and its own methods for RTSP, and only SOURCE for ICE; all others cost nothing here. A look
// takes a copy of what was read, 5 us with its memory, so GET and POST of version 1.1 are not looked at: there is no RTSP/1.1 (RFC 2326
// is 1.0, RFC 7826 is 2.0). What else is not found out: a request whose line came in an earlier read than the end of its head.
function isOtherProtocol(request: IncomingMessage): boolean {
  const { method = '', url, httpVersionMinor } = request;
  const connection: Connection = request.socket;
  switch (method) {
    case 'GET':
    case 'POST':
      if (httpVersionMinor === 1) return false;
      break;
    case 'OPTIONS':
    case 'SOURCE':
      break;
    default:
      return !HTTP_METHODS.has(method);
  }
  const protocol = lookAt(connection).lines?.get(`${method} ${url}`);
  return protocol === 'other' || (method === 'SOURCE' && protocol === undefined);
}

// Once for each read, however many requests are in it. The attack: 64 KiB of pipelined requests, each with a look at all of them.
function lookAt(connection: Connection): Look {
  const { bytesRead } = connection;
  const last = connection[LOOK];
  if (last !== undefined && last.bytesRead === bytesRead) return last;
  const bytes = connection.parser?.getCurrentBuffer?.() ?? Buffer.alloc(0);
  const look = { bytesRead, lines: SUSPICIOUS.some((one) => bytes.includes(one)) ? requestLines(bytes) : undefined };
  connection[LOOK] = look;
  // The lines would be kept for as long as the connection: the attack is many connections with 64 KiB of them each.
  if (look.lines !== undefined) setImmediate(forget, connection);
  return look;
}

function forget(connection: Connection): void {
  connection[LOOK] = undefined;
}

const SUSPICIOUS = [' RTSP/', ' ICE/', 'SOURCE '];

function requestLines(bytes: Buffer): ReadonlyMap<string, 'http' | 'other'> {
  const lines = new Map<string, 'http' | 'other'>();
  for (const line of bytes.toString('latin1').split('\n')) {
    const [, method, target, protocol] = /^([A-Z]+) +([^ ]+) +([A-Z]+)\/\d/.exec(line) ?? [];
    const name = `${method} ${target}`;
    // Requests of both kinds with one request line in one read cannot be told apart.
    if (method !== undefined && lines.get(name) !== 'other') lines.set(name, protocol === 'HTTP' ? 'http' : 'other');
  }
  return lines;
}
