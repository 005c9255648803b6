// Detects requests of RTSP and ICE (Icecast), which look like requests of HTTP. Node's parser accepts them without
// saying so. If they were passed on they would become HTTP, which the client did not speak.

import { type IncomingMessage, METHODS } from 'node:http';
import type { Socket } from 'node:net';

const HTTP_METHODS: ReadonlySet<string> = new Set(METHODS);

/** What was found in the bytes of a connection's last read. */
interface Look {
  readonly bytesRead: number;
  /** The protocol of each request line, by method and target. `undefined` if nothing hints at another protocol. */
  readonly lines: ReadonlyMap<string, 'http' | 'other'> | undefined;
}

const LOOK = Symbol('look');

interface Connection extends Socket {
  [LOOK]?: Look | undefined;
  // The bytes that are being parsed, as a copy. Undocumented, but in Node since 0.12.
  readonly parser?: { getCurrentBuffer?(): Buffer } | null;
}

/**
 * Marks the request as not of HTTP/1 if it is of another protocol, so that headers.ts refuses it. Call it while the
 * head is being parsed.
 */
export function correctVersion(request: IncomingMessage): void {
  if (isOtherProtocol(request)) request.httpVersionMajor = 0;
}

// The parser accepts GET, POST, OPTIONS and its own methods in RTSP, and only SOURCE in ICE; other methods need no
// look. A look copies what was read (5 us with its memory), so GET and POST of version 1.1 are not looked at: there is
// no RTSP/1.1 (RFC 2326 is 1.0, RFC 7826 is 2.0). Not detected is a request whose first line came in an earlier read
// than the end of its head.
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

// Looks once per read, however many requests are in it. The attack: 64 KiB of pipelined requests, each of which has all
// of them looked at.
function lookAt(connection: Connection): Look {
  const { bytesRead } = connection;
  const last = connection[LOOK];
  if (last !== undefined && last.bytesRead === bytesRead) return last;
  const bytes = connection.parser?.getCurrentBuffer?.() ?? Buffer.alloc(0);
  const look = { bytesRead, lines: SUSPICIOUS.some((one) => bytes.includes(one)) ? requestLines(bytes) : undefined };
  connection[LOOK] = look;
  // The lines are forgotten at once. The attack: many connections that each hold 64 KiB of them.
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
    // If one read has the same line in both protocols, the two cannot be told apart, so both are refused.
    if (method !== undefined && lines.get(name) !== 'other') lines.set(name, protocol === 'HTTP' ? 'http' : 'other');
  }
  return lines;
}
