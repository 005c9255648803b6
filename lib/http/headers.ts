// Heads as they go out: what is for one hop only is taken off, what a gateway has to say is put on, and the rest passes in its
// order, case and bytes (RFC 9110, 7.6; RFC 9112, 3 and 6). Pure: texts in, texts out, all latin1.

import type { Underscores } from '../core/traffic-settings.ts';
import { BalancerError } from '../errors.ts';
import { isAlias, isOdd, kindOf, mayHaveRule } from './field-rules.ts';
import { connectionOptions, isOverfull, nominations } from './lists.ts';
import type { ReplyHead } from './reply-head.ts';
import { readTarget } from './target.ts';

/** What is known of the client's connection. */
export interface ClientFacts {
  /** IP address, as X-Forwarded-For shows it. */
  readonly address: string;
  /** It is a proxy whose word is taken on where the request comes from. */
  readonly trusted: boolean;
  /** This proxy is not to show itself by a Via. */
  readonly omitsVia?: boolean;
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
  /** Everything up to and including the empty line, but for the Host field if the request `lacksHost`. */
  readonly text: string;
  /** HTTP/1.0 need not name a host; HTTP/1.1, in which it is passed on, must (RFC 9112, 3.2). */
  readonly lacksHost: boolean;
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

/** The error of more fields, or elements of the lists that are read here, than there may be: to be asked before all else. */
export function overfull({ rawHeaders }: ParsedRequest, maxFields: number): BalancerError | undefined {
  if (!isOverfull(rawHeaders, maxFields)) return undefined;
  return new BalancerError('head-too-large', `the request has more than ${maxFields} fields or connection options`);
}

/**
 * The head for the replica. Throws `bad-request` or `not-implemented` for what must not be passed on.
 * @param offered protocols that the connection may be switched to; empty for an ordinary request.
 * @param hopsLeft of a request with Max-Forwards: its new value.
 */
export function requestHead(
  request: ParsedRequest,
  client: ClientFacts,
  underscores: Underscores,
  offered = '',
  hopsLeft?: number,
): RequestHead {
  const target = readTarget(request);
  const fields = readRequestFields(request, target.authority, client.trusted, underscores, hopsLeft);
  checkFraming(request, fields);
  const host = checkHost(fields);
  const forwardedFor = joined(fields.forwardedFor, client.address);
  const body = fields.codings !== undefined ? 'chunked' : fields.hasBody ? 'length' : 'none';
  const lacksHost = host === '';
  const text =
    `${request.method} ${target.path} HTTP/1.1\r\n${fields.host !== undefined || lacksHost ? '' : `Host: ${host}\r\n`}` +
    fields.passed +
    (client.omitsVia === true ? '' : `Via: ${request.httpVersionMajor}.${request.httpVersionMinor} ringmaster\r\n`) +
    `X-Forwarded-For: ${forwardedFor}\r\n` +
    (fields.forwardedHost || lacksHost ? '' : `X-Forwarded-Host: ${host}\r\n`) +
    (fields.forwardedProto ? '' : 'X-Forwarded-Proto: http\r\n') +
    (offered === '' ? '' : `Connection: Upgrade\r\nUpgrade: ${offered}\r\n`) +
    (body === 'chunked' ? 'Transfer-Encoding: chunked\r\n\r\n' : '\r\n');
  const { asksWhy, lengthBytes } = fields;
  // Whoever speaks HTTP/1.0 cannot mean it (RFC 9110, 10.1.1).
  const expectsContinue = fields.expectsContinue && request.httpVersionMinor > 0;
  return { text, lacksHost, body, lengthBytes, offered, expectsContinue, asksWhy };
}

/** The text for the replica of that authority, which is the host of a request that named none. */
export function textFor({ text, lacksHost }: RequestHead, authority: string): string {
  return lacksHost ? text.replace('\r\n', () => `\r\nHost: ${authority}\r\n`) : text;
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
  /** This proxy is not to show itself by a Via. */
  readonly omitsVia?: boolean;
}

/** The head for the client, up to and including the empty line. */
export function replyHead(reply: ReplyHead, terms: ReplyTerms): string {
  let text = `HTTP/1.1 ${reply.status} ${reply.reason}\r\n`;
  let dated = false;
  const { fields, nominated } = reply;
  // A 204 has no body to have a length, and a 1xx neither (RFC 9110, 8.6).
  const lengthless = reply.status === 204 || reply.status < 200;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (nominated?.has(name.toLowerCase())) continue;
    if (mayHaveRule(name)) {
      const lower = name.toLowerCase();
      if (kindOf(lower) === 'hop' || (lower === 'content-length' && lengthless)) continue;
      if (lower === 'date') dated = true;
    }
    text += `${name}: ${fields[index + 1]}\r\n`;
  }
  if (reply.status < 200) return `${text}\r\n`;
  if (!dated) text += `Date: ${terms.date}\r\n`;
  if (terms.omitsVia !== true) text += `Via: 1.${reply.minor} ringmaster\r\n`;
  if (terms.added !== undefined) text += terms.added;
  if (terms.body === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (!terms.keepAlive) text += 'Connection: close\r\n';
  else if (terms.clientMinor === 0) text += 'Connection: keep-alive\r\n';
  return `${text}\r\n`;
}

interface RequestFields {
  passed: string;
  /** Of an absolute target: goes before the Host field. */
  readonly authority: string | undefined;
  readonly hopsLeft: number | undefined;
  readonly minor: number;
  host: string | undefined;
  authorized: boolean;
  codings: string | undefined;
  hasBody: boolean;
  lengthBytes: number;
  // What a trusted proxy has said.
  forwardedFor: string | undefined;
  forwardedHost: boolean;
  forwardedProto: boolean;
  expectsContinue: boolean;
  asksWhy: boolean;
}

function readRequestFields(
  { rawHeaders, httpVersionMinor: minor }: ParsedRequest,
  authority: string | undefined,
  trusted: boolean,
  underscores: Underscores,
  hopsLeft: number | undefined,
): RequestFields {
  const nominated = nominations(connectionOptions(rawHeaders));
  const fields: RequestFields = {
    passed: '',
    authority,
    hopsLeft,
    minor,
    host: undefined,
    authorized: false,
    codings: undefined,
    hasBody: false,
    lengthBytes: 0,
    forwardedFor: undefined,
    forwardedHost: false,
    forwardedProto: false,
    expectsContinue: false,
    asksWhy: false,
  };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    let value = rawHeaders[index + 1] as string;
    if (underscores === 'drop' && isOdd(name)) continue;
    const isNominated = nominated?.has(name.toLowerCase()) === true;
    if (mayHaveRule(name)) {
      const lower = name.toLowerCase();
      const kind = kindOf(lower);
      // A name of the table has no odd characters, but one that only begins like those of it may.
      if ((kind === undefined || kind === 'forwarding') && underscores !== 'pass' && isAlias(lower)) continue;
      if (kind === 'hop') {
        if (lower === 'transfer-encoding') fields.codings = joined(fields.codings, value);
        continue;
      }
      // The attack: a client that says it is another, to a replica that looks at these for who may do what.
      if (kind === 'forwarding' && (!trusted || takeForwarding(fields, lower, value, isNominated))) continue;
      if (kind === 'own') {
        const passed = takeOwn(fields, lower, value);
        if (passed === undefined) continue;
        value = passed;
      }
    }
    if (!isNominated) fields.passed += `${name}: ${value}\r\n`;
  }
  return fields;
}

// Gives what is passed on of the value, `undefined` if the field is not.
function takeOwn(fields: RequestFields, lower: string, value: string): string | undefined {
  switch (lower) {
    case 'host':
      // The attack: two hops that each believe another one of two Host fields (RFC 9112, 3.2).
      if (fields.host !== undefined) throw new BalancerError('bad-request', 'the request has more than one Host field');
      fields.host = value;
      return fields.authority ?? value;
    case 'authorization':
      // The attack: one hop checks the credentials of one field, the next goes by those of another.
      if (fields.authorized) {
        throw new BalancerError('bad-request', 'the request has more than one Authorization field');
      }
      fields.authorized = true;
      return value;
    case 'content-length':
      fields.hasBody = true;
      fields.lengthBytes = Number(value);
      return value;
    case 'x-ringmaster-explain':
      fields.asksWhy = value === '1';
      return undefined;
    case 'expect':
      fields.expectsContinue = value.toLowerCase() === '100-continue';
      return fields.minor === 0 ? undefined : value;
    case 'max-forwards':
      return fields.hopsLeft === undefined ? value : String(fields.hopsLeft);
    default:
      return value;
  }
}

// Of a trusted proxy. True if the field is not passed on as it came. The attack: `Connection: x-forwarded-proto`, which such a proxy
// passes on from its client, so that neither its field nor ours is there (test/proxy/headers.test.ts). What is nominated for this
// hop is no word on it; X-Forwarded-For is ours in any case, and what it says goes before our own.
function takeForwarding(fields: RequestFields, lower: string, value: string, isNominated: boolean): boolean {
  if (lower === 'x-forwarded-for') {
    if (value !== '') fields.forwardedFor = joined(fields.forwardedFor, value);
    return true;
  }
  if (isNominated) return true;
  if (lower === 'x-forwarded-host') fields.forwardedHost = true;
  if (lower === 'x-forwarded-proto') fields.forwardedProto = true;
  return false;
}

function joined(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`;
}

// The host that the request is for; empty if HTTP/1.0 names none.
function checkHost({ host, authority, minor }: RequestFields): string {
  if (host === undefined && minor > 0) {
    throw new BalancerError('bad-request', 'the request has no Host field');
  }
  // Also the one that a target overrides: what is wrong in it is believed somewhere (RFC 9112, 3.2).
  if (host !== undefined && !HOST.test(host)) {
    throw new BalancerError('bad-request', 'the Host field is not a host and port');
  }
  if (authority !== undefined && !HOST.test(authority)) {
    throw new BalancerError('bad-request', 'the request target does not name a host and port');
  }
  return authority ?? host ?? '';
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
