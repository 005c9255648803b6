// Heads as they go out: what is for one hop only is taken off, what a gateway has to say is put on, and the rest passes in its
// order, case and bytes (RFC 9110, 7.6; RFC 9112, 3 and 6). Pure: texts in, texts out, all latin1.

import { BalancerError } from '../errors.ts';
import { connectionOptions, isHopByHop, isNominated, mayBeSpecial } from './hop-by-hop.ts';
import type { ReplyHead } from './reply-head.ts';

/** What is known of the client's connection. */
export interface ClientFacts {
  /** IP address, as X-Forwarded-For shows it. */
  readonly address: string;
  /** It is a proxy whose word is taken on where the request comes from. */
  readonly trusted: boolean;
}

/** A request as `http.Server` parsed it. `rawHeaders` is name, value, name, value, … */
export interface ParsedRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: readonly string[];
}

export interface RequestHead {
  /** Everything up to and including the empty line. */
  readonly text: string;
  readonly body: 'none' | 'length' | 'chunked';
  /** Of a body under `length`, else 0. */
  readonly lengthBytes: number;
  /** Protocols that the connection may be switched to, as in its Upgrade field; empty if it is an ordinary request. */
  readonly offered: string;
  /** The client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** The client asks why its request goes where it goes. */
  readonly asksWhy: boolean;
}

/**
 * The head for the replica. Throws `bad-request` or `not-implemented` for what must not be passed on.
 * @param offered protocols that the connection may be switched to; empty for an ordinary request.
 * @param hopsLeft of a request with Max-Forwards: its new value.
 */
export function requestHead(request: ParsedRequest, client: ClientFacts, offered = '', hopsLeft?: number): RequestHead {
  const target = readTarget(request);
  const fields = readRequestFields(request, target.authority, client.trusted, hopsLeft);
  checkFraming(request, fields);
  const host = checkHost(request, fields, target.authority);
  const forwardedFor = fields.forwardedFor === '' ? client.address : `${fields.forwardedFor}, ${client.address}`;
  const body = fields.codings !== undefined ? 'chunked' : fields.hasBody ? 'length' : 'none';
  const text =
    `${request.method} ${target.path} HTTP/1.1\r\n${fields.host === undefined ? `Host: ${host}\r\n` : ''}${fields.passed}` +
    `Via: ${request.httpVersionMajor}.${request.httpVersionMinor} ringmaster\r\nX-Forwarded-For: ${forwardedFor}\r\n` +
    (fields.forwardedHost || host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`) +
    (fields.forwardedProto ? '' : 'X-Forwarded-Proto: http\r\n') +
    (offered === '' ? '' : `Connection: Upgrade\r\nUpgrade: ${offered}\r\n`) +
    (body === 'chunked' ? 'Transfer-Encoding: chunked\r\n\r\n' : '\r\n');
  const { asksWhy, lengthBytes } = fields;
  // Whoever speaks HTTP/1.0 cannot mean it (RFC 9110, 10.1.1).
  const expectsContinue = fields.expectsContinue && request.httpVersionMinor > 0;
  return { text, body, lengthBytes, offered, expectsContinue, asksWhy };
}

/** How the client's connection goes on after a reply. */
export interface ReplyTerms {
  /** Minor version of the client's HTTP/1.x. */
  readonly clientMinor: number;
  readonly keepAlive: boolean;
  readonly body: 'none' | 'length' | 'chunked' | 'close';
  /** For a reply without a Date (RFC 9110, 6.6.1). */
  readonly date: string;
  /** Fields to be added, each with its CRLF. */
  readonly added?: string;
}

/** The head for the client, up to and including the empty line. */
export function replyHead(reply: ReplyHead, terms: ReplyTerms): string {
  let text = `HTTP/1.1 ${reply.status} ${reply.reason}\r\n`;
  let dated = false;
  const { fields, connection } = reply;
  // A 204 has no body to have a length, and a 1xx neither (RFC 9110, 8.6).
  const lengthless = reply.status === 204 || reply.status < 200;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (mayBeSpecial(name)) {
      const lower = name.toLowerCase();
      if (isHopByHop(lower) || isNominated(connection, lower)) continue;
      if (lower === 'content-length' && lengthless) continue;
      if (lower === 'date') dated = true;
    } else if (connection !== '' && isNominated(connection, name.toLowerCase())) {
      continue;
    }
    text += `${name}: ${fields[index + 1]}\r\n`;
  }
  if (reply.status < 200) return `${text}\r\n`;
  if (!dated) text += `Date: ${terms.date}\r\n`;
  text += `Via: 1.${reply.minor} ringmaster\r\n`;
  if (terms.added !== undefined) text += terms.added;
  if (terms.body === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (!terms.keepAlive) text += 'Connection: close\r\n';
  else if (terms.clientMinor === 0) text += 'Connection: keep-alive\r\n';
  return `${text}\r\n`;
}

// What says how a message is framed, routed, controlled or who sends it is not for after it. The attack: a replica that merges
// trailers into the head would take from here what is replaced there.
const NO_TRAILERS = new Set('content-length host via expect max-forwards authorization cookie'.split(' '));

/** Trailer fields without those that frame, route or belong to one hop (RFC 9110, 6.5.1), each with its CRLF. */
export function trailerSection(fields: readonly string[]): string {
  let text = '';
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const lower = name.toLowerCase();
    if (isHopByHop(lower) || isForwarding(lower) || NO_TRAILERS.has(lower)) continue;
    text += `${name}: ${fields[index + 1]}\r\n`;
  }
  return text;
}

interface RequestFields {
  passed: string;
  host: string | undefined;
  codings: string | undefined;
  hasBody: boolean;
  lengthBytes: number;
  // What a trusted proxy has said.
  forwardedFor: string;
  forwardedHost: boolean;
  forwardedProto: boolean;
  expectsContinue: boolean;
  asksWhy: boolean;
}

function readRequestFields(
  { rawHeaders, httpVersionMinor }: ParsedRequest,
  authority: string | undefined,
  trusted: boolean,
  hopsLeft: number | undefined,
): RequestFields {
  const connection = connectionOptions(rawHeaders);
  const fields: RequestFields = {
    passed: '',
    host: undefined,
    codings: undefined,
    hasBody: false,
    lengthBytes: 0,
    forwardedFor: '',
    forwardedHost: false,
    forwardedProto: false,
    expectsContinue: false,
    asksWhy: false,
  };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    if (mayBeSpecial(name)) {
      const lower = name.toLowerCase();
      if (isForwarding(lower) && (!trusted || takeForwarding(fields, lower, value))) continue;
      if (takeSpecial(fields, lower, value) || isHopByHop(lower) || isNominated(connection, lower)) continue;
      if (lower === 'host' && authority !== undefined) {
        fields.passed += `${name}: ${authority}\r\n`;
        continue;
      }
      if (lower === 'expect' && httpVersionMinor === 0) continue;
      if (lower === 'max-forwards' && hopsLeft !== undefined) {
        fields.passed += `${name}: ${hopsLeft}\r\n`;
        continue;
      }
    } else if (connection !== '' && isNominated(connection, name.toLowerCase())) {
      continue;
    }
    fields.passed += `${name}: ${value}\r\n`;
  }
  return fields;
}

// True if the field is not passed on as it came.
function takeSpecial(fields: RequestFields, lower: string, value: string): boolean {
  switch (lower) {
    case 'host':
      // The attack: two hops that each believe another one of two Host fields (RFC 9112, 3.2).
      if (fields.host !== undefined) throw new BalancerError('bad-request', 'the request has more than one Host field');
      fields.host = value;
      return false;
    case 'transfer-encoding':
      fields.codings = fields.codings === undefined ? value : `${fields.codings},${value}`;
      return true;
    case 'content-length':
      fields.hasBody = true;
      fields.lengthBytes = Number(value);
      return false;
    case 'x-ringmaster-explain':
      fields.asksWhy = value === '1';
      return true;
    case 'expect':
      fields.expectsContinue = value.toLowerCase() === '100-continue';
      return false;
    default:
      return false;
  }
}

// The attack: a client that says it is another, to a replica that looks at these for who may do what.
function isForwarding(lower: string): boolean {
  return lower.startsWith('x-forwarded-') || lower === 'forwarded' || lower === 'x-real-ip';
}

// Of a trusted proxy. True if the field is not passed on as it came.
function takeForwarding(fields: RequestFields, lower: string, value: string): boolean {
  if (lower === 'x-forwarded-for') {
    fields.forwardedFor = fields.forwardedFor === '' ? value : `${fields.forwardedFor}, ${value}`;
    return true;
  }
  if (lower === 'x-forwarded-host') fields.forwardedHost = true;
  if (lower === 'x-forwarded-proto') fields.forwardedProto = true;
  return false;
}

function readTarget({ method, url }: ParsedRequest): { path: string; authority: string | undefined } {
  // A fragment is for the client alone (RFC 9112, 3.2): a replica may cut it off, or not, and so see another path than ours.
  if (url.includes('#')) throw new BalancerError('bad-request', 'the request target has a fragment');
  if (url.charCodeAt(0) === 0x2f || (url === '*' && method === 'OPTIONS')) return { path: url, authority: undefined };
  // absolute-form: what it names goes before the Host field (RFC 9112, 3.2.2).
  const [, authority, path = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) throw new BalancerError('bad-request', 'the request target is not a path');
  if (path === '' && method === 'OPTIONS') return { path: '*', authority };
  return { path: path.startsWith('/') ? path : `/${path}`, authority };
}

// The host that the request is for, for X-Forwarded-Host and for a request of HTTP/1.0 that names none.
function checkHost(request: ParsedRequest, fields: RequestFields, authority: string | undefined): string {
  if (fields.host === undefined && request.httpVersionMinor > 0) {
    throw new BalancerError('bad-request', 'the request has no Host field');
  }
  // Also the one that a target overrides: what is wrong in it is believed somewhere (RFC 9112, 3.2).
  if (fields.host !== undefined && !HOST.test(fields.host)) {
    throw new BalancerError('bad-request', 'the Host field is not a host and port');
  }
  if (authority !== undefined && !HOST.test(authority)) {
    throw new BalancerError('bad-request', 'the request target does not name a host and port');
  }
  return authority ?? fields.host ?? '';
}

// uri-host [ ":" port ] of RFC 9110, 7.2, by its characters; not empty, which names no http resource (4.2.1).
const HOST = /^(?:[\w.~%!$&'()*+,;=-]+|\[[\da-fA-F:.]+\])(?::\d*)?$/;

function checkFraming(request: ParsedRequest, fields: RequestFields): void {
  if (request.httpVersionMajor !== 1)
    throw new BalancerError('bad-request', 'only HTTP/1.0 and HTTP/1.1 are understood');
  if (fields.codings === undefined) return;
  if (fields.hasBody) throw new BalancerError('bad-request', 'the request has Content-Length and Transfer-Encoding');
  // A recipient of HTTP/1.0 may not know chunked: its sender neither (RFC 9112, 6.1).
  if (request.httpVersionMinor === 0)
    throw new BalancerError('bad-request', 'Transfer-Encoding is not part of HTTP/1.0');
  if (fields.codings.toLowerCase() !== 'chunked') {
    throw new BalancerError('not-implemented', 'the only transfer coding understood is chunked');
  }
}
