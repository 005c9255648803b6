// Parses the head of a reply, and decides how its body is framed (RFC 9112, 4, 5 and 6.3). Pure.

import { BalancerError } from '../errors.ts';
import { countElements, hasToken, type Nominations, nominations } from './lists.ts';

/** What ends a body. With `none` there are no bytes, whatever the fields say. */
export type ReplyFraming = 'none' | 'length' | 'chunked' | 'close';

export interface ReplyHead {
  /** 100 to 999. */
  readonly status: number;
  readonly reason: string;
  /** Name, value, name, value, … in the order and case in which they came; bytes as latin1. */
  readonly fields: readonly string[];
  /** Names that its `Connection` field nominates for this hop only. */
  readonly nominated: Nominations;
  /** Minor version of the reply's HTTP/1.x. */
  readonly minor: number;
  readonly framing: ReplyFraming;
  /** Size of a body framed by `length`, else 0. */
  readonly lengthBytes: number;
  /** The replica will take another request on this connection. */
  readonly persistent: boolean;
}

/**
 * Throws `bad-reply`.
 * @param text the head in latin1, each line with its CRLF, without the empty line.
 * @param maxFields limit on the fields, and on the elements of the lists that are read.
 */
export function parseReplyHead(text: string, method: string, maxFields: number): ReplyHead {
  const endOfLine = text.indexOf('\r\n');
  const minor = text.charCodeAt(7) - 0x30;
  if (!text.startsWith('HTTP/1.') || !(minor >= 0 && minor <= 9)) throw malformed('it is not HTTP/1.1');
  const status = Number(text.slice(9, 12));
  const afterStatus = text.charCodeAt(12);
  if (text[8] !== ' ' || !isStatus(text.slice(9, 12)) || (afterStatus !== 0x20 && endOfLine !== 12)) {
    throw malformed('its status line is not valid');
  }
  const reason = text.slice(13, Math.max(13, endOfLine));
  checkText(reason, 'its reason phrase');
  const fields = parseFields(text, endOfLine + 2, maxFields);

  let connection = '';
  let codings: string | undefined;
  let length: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name.length !== 10 && name.length !== 14 && name.length !== 17) continue;
    const value = fields[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'connection') {
      connection = connection === '' ? value.toLowerCase() : `${connection},${value.toLowerCase()}`;
    } else if (lower === 'content-length') {
      if (length !== undefined) throw malformed('it has two Content-Length fields');
      length = value;
    } else if (lower === 'transfer-encoding') {
      codings = codings === undefined ? value : `${codings},${value}`;
    }
  }
  const persistent = minor === 0 ? hasToken(connection, 'keep-alive') : !hasToken(connection, 'close');
  const body = frame(status, method, minor, codings, length);
  if (countElements(connection) > maxFields) throw malformed(`it has more than ${maxFields} connection options`);
  const nominated = nominations(connection);
  return { status, reason, fields, nominated, minor, persistent: persistent && body.framing !== 'close', ...body };
}

/**
 * Is it a stream of server-sent events? Such a reply has no end of its own, and its client connects again when it is
 * cut.
 */
export function isEventStream({ framing, fields }: ReplyHead): boolean {
  if (framing !== 'chunked' && framing !== 'close') return false;
  const at = fields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type');
  return at !== -1 && /^text\/event-stream(\s*;|$)/i.test(fields[at + 1] as string);
}

/**
 * Throws `bad-reply`.
 * @param text the trailer section in latin1, each line with its CRLF.
 */
export function parseTrailers(text: string, maxFields: number): string[] {
  return parseFields(text, 0, maxFields);
}

function frame(
  status: number,
  method: string,
  minor: number,
  codings: string | undefined,
  length: string | undefined,
): { framing: ReplyFraming; lengthBytes: number } {
  if (length !== undefined && codings !== undefined) throw malformed('it has Content-Length and Transfer-Encoding');
  if (length !== undefined && !isLength(length)) throw malformed('its Content-Length is not a number of bytes');
  if (codings !== undefined && (minor === 0 || codings.toLowerCase() !== 'chunked')) {
    throw malformed('its Transfer-Encoding is not chunked');
  }
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { framing: 'none', lengthBytes: 0 };
  if (codings !== undefined) return { framing: 'chunked', lengthBytes: 0 };
  if (length !== undefined) return { framing: 'length', lengthBytes: Number(length) };
  return { framing: 'close', lengthBytes: 0 };
}

function parseFields(text: string, from: number, maxFields: number): string[] {
  const fields: string[] = [];
  for (let at = from; at < text.length; ) {
    if (fields.length === 2 * maxFields) throw malformed(`it has more than ${maxFields} fields`);
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw malformed('a line of its head has no colon');
    // A proxy removes white space before the colon of a reply's field (RFC 9112, 5.1).
    const nameEnd = trimEnd(text, at, colon);
    let start = colon + 1;
    while (start < end && isBlank(text.charCodeAt(start))) start += 1;
    const name = text.slice(at, nameEnd);
    const value = text.slice(start, trimEnd(text, start, end));
    // This also refuses a line that begins with white space (obs-fold), since a blank is no token character.
    if (!isToken(name)) throw malformed('a field name of its head is not valid');
    checkText(value, `its field ${name.slice(0, 100)}`);
    fields.push(name, value);
    at = end + 2;
  }
  return fields;
}

function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(text.charCodeAt(at - 1))) at -= 1;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

// The characters of a token (tchar, RFC 9110, 5.6.2), by code.
const TOKEN_CHARACTERS = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN_CHARACTERS[character.charCodeAt(0)] = 1;
}

function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (TOKEN_CHARACTERS[text.charCodeAt(at)] !== 1) return false;
  }
  return text.length > 0;
}

// The attack: a CR or NUL that one hop takes for the end of a line and another does not.
function checkText(text: string, what: string): void {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) throw malformed(`${what} has a control byte`);
  }
}

function isStatus(digits: string): boolean {
  return /^[1-9][0-9]{2}$/.test(digits);
}

// A number of 15 digits is still exact in a double.
function isLength(text: string): boolean {
  return /^[0-9]{1,15}$/.test(text);
}

/** The error for bytes of a replica that are no valid reply. @param what is wrong with them. */
export function malformed(what: string): BalancerError {
  return new BalancerError('bad-reply', `the reply of the replica is broken: ${what}`);
}
