// Builds the heads that go out: fields for one hop only are removed, what a gateway must say is added, and the rest
// passes in its order, case and bytes (RFC 9110, 7.6; RFC 9112, 3 and 6). Pure: text in, text out, all latin1.

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
  /** The client is a proxy whose word is taken on where a request comes from. */
  readonly trusted: boolean;
  /** This proxy must not show itself by a Via field. */
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
  /** Everything up to and including the empty line. The Host field is missing if the request `lacksHost`. */
  readonly text: string;
  /**
   * The request names no host. HTTP/1.0 allows that, but HTTP/1.1, in which it is passed on, does not (RFC 9112, 3.2).
   */
  readonly lacksHost: boolean;
  readonly body: 'none' | 'length' | 'chunked';
  /** Size of a body framed by `length`, else 0. */
  readonly lengthBytes: number;
  /** Protocols that the connection may switch to, as its Upgrade field lists them; empty for an ordinary request. */
  readonly offered: string;
  /** The client waits for a 100 (Continue) before it sends the body. */
  readonly expectsContinue: boolean;
  /** The client asks why its request goes where it goes. */
  readonly asksWhy: boolean;
}

/**
 * Gives an error if the request has too many fields, or too many elements in the lists that are read here. Call it
 * before anything else reads the fields: it bounds how much work they can make.
 */
export function overfull({ rawHeaders }: ParsedRequest, maxFields: number): BalancerError | undefined {
  if (!isOverfull(rawHeaders, maxFields)) return undefined;
  return new BalancerError('head-too-large', `the request has more than ${maxFields} fields or connection options`);
}

/**
 * Builds the head for the replica. Throws `bad-request` or `not-implemented` for what must not be passed on.
 * @param offered protocols that the connection may switch to; empty for an ordinary request.
 * @param hopsLeft the new value of Max-Forwards, if the request has one that counts.
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
  // An expectation in HTTP/1.0 must be ignored (RFC 9110, 10.1.1).
  const expectsContinue = fields.expectsContinue && request.httpVersionMinor > 0;
  return { text, lacksHost, body, lengthBytes, offered, expectsContinue, asksWhy };
}

/** The head's text for one replica, whose authority serves as the host of a request that named none. */
export function textFor({ text, lacksHost }: RequestHead, authority: string): string {
  return lacksHost ? text.replace('\r\n', () => `\r\nHost: ${authority}\r\n`) : text;
}

/** How the client's connection goes on after a reply. */
export interface ReplyTerms {
  /** Minor version of the client's HTTP/1.x. */
  readonly clientMinor: number;
  readonly keepAlive: boolean;
  readonly body: 'none' | 'length' | 'chunked' | 'close';
  /** The value of a Date field, for a reply that has none (RFC 9110, 6.6.1). */
  readonly date: string;
  /** More fields for the reply: name, value, name, value, … */
  readonly added?: readonly string[];
  /** This proxy must not show itself by a Via field. */
  readonly omitsVia?: boolean;
}

/** Builds the head for the client, up to and including the empty line. */
export function replyHead(reply: ReplyHead, terms: ReplyTerms): string {
  let text = `HTTP/1.1 ${reply.status} ${reply.reason}\r\n`;
  let dated = false;
  const { fields, nominated } = reply;
  // A 1xx or 204 must not have a Content-Length (RFC 9110, 8.6).
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
  const { added } = terms;
  for (let index = 0; added !== undefined && index < added.length; index += 2)
    text += `${added[index]}: ${added[index + 1]}\r\n`;
  if (terms.body === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (!terms.keepAlive) text += 'Connection: close\r\n';
  else if (terms.clientMinor === 0) text += 'Connection: keep-alive\r\n';
  return `${text}\r\n`;
}

interface RequestFields {
  passed: string;
  /** The authority of an absolute target, which overrides the Host field. */
  readonly authority: string | undefined;
  readonly hopsLeft: number | undefined;
  readonly minor: number;
  host: string | undefined;
  authorized: boolean;
  codings: string | undefined;
  hasBody: boolean;
  lengthBytes: number;
  // What a trusted proxy said in its X-Forwarded-* fields.
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
      // Names in the table of rules have no odd characters, so only a name without a rule, or one that matches
      // `x-forwarded-` as a prefix, can be an alias.
      if ((kind === undefined || kind === 'forwarding') && underscores !== 'pass' && isAlias(lower)) continue;
      if (kind === 'hop') {
        if (lower === 'transfer-encoding') fields.codings = joined(fields.codings, value);
        continue;
      }
      // The attack: a client claims another address to a replica that grants rights by these fields.
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

// Gives the value to pass on, or `undefined` if the field is dropped.
function takeOwn(fields: RequestFields, lower: string, value: string): string | undefined {
  switch (lower) {
    case 'host':
      // The attack: with two Host fields, two hops may each believe a different one (RFC 9112, 3.2).
      if (fields.host !== undefined) throw new BalancerError('bad-request', 'the request has more than one Host field');
      fields.host = value;
      return fields.authority ?? value;
    case 'authorization':
      // The attack: one hop checks the credentials in one field, the next one goes by those in the other.
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

// Reads a forwarding field of a trusted proxy. True if the field must not pass as it came.
// X-Forwarded-For never does: this proxy writes its own, which begins with what that field said. The attack on the
// others: a client sends `Connection: x-forwarded-proto`, the trusted proxy passes it on, and the replica sees neither
// that proxy's field nor ours (test/proxy/headers.test.ts). So a nominated field is dropped without counting as
// present.
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

// The host that the request is for; empty if an HTTP/1.0 request names none.
function checkHost({ host, authority, minor }: RequestFields): string {
  if (host === undefined && minor > 0) {
    throw new BalancerError('bad-request', 'the request has no Host field');
  }
  // A Host field that the target overrides is checked too, since some server behind may believe it (RFC 9112, 3.2).
  if (host !== undefined && !HOST.test(host)) {
    throw new BalancerError('bad-request', 'the Host field is not a host and port');
  }
  if (authority !== undefined && !HOST.test(authority)) {
    throw new BalancerError('bad-request', 'the request target does not name a host and port');
  }
  return authority ?? host ?? '';
}

// The characters of uri-host [ ":" port ] (RFC 9110, 7.2). An empty host names no http resource (RFC 9110, 4.2.1).
const HOST = /^(?:[\w.~%!$&'()*+,;=-]+|\[[\da-fA-F:.]+\])(?::\d*)?$/;

function checkFraming(request: ParsedRequest, fields: RequestFields): void {
  if (request.httpVersionMajor !== 1)
    throw new BalancerError('bad-request', 'only HTTP/1.0 and HTTP/1.1 are understood');
  if (fields.codings === undefined) return;
  if (fields.hasBody) throw new BalancerError('bad-request', 'the request has Content-Length and Transfer-Encoding');
  // HTTP/1.0 has no transfer codings, so sender and recipient may frame the message differently (RFC 9112, 6.1).
  if (request.httpVersionMinor === 0)
    throw new BalancerError('bad-request', 'Transfer-Encoding is not part of HTTP/1.0');
  if (fields.codings.toLowerCase() !== 'chunked') {
    throw new BalancerError('not-implemented', 'the only transfer coding understood is chunked');
  }
}
