// An HTTP/1.1 reader for judging what is on the wire. It is strict, reads whole texts (latin1) and uses nothing of
// lib/. A proxy should not have written anything that it rejects.

export interface Message {
  readonly startLine: string;
  /** Name and value, in the order and case of the wire. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Whether the message is complete. */
  readonly complete: boolean;
  /** The text after the message. */
  readonly rest: string;
}

/** Says what is wrong with a message. */
export class Garbled extends Error {
  override readonly name = 'Garbled';
}

/**
 * How a text is read: as written by a proxy, or as sent to one. Texts that are sent may contain what a recipient can
 * read in only one way: chunk extensions, leading zeros in a chunk size, a reply of HTTP/1.2, empty lines before a
 * request, spaces around the parts of its first line.
 */
export type Reading = 'written' | 'sent';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\x80-\xff]+ HTTP\/1\.[01]$/;
const SENT_REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ +[!-~\x80-\xff]+ +HTTP\/1\.[01]$/;
const SENT_STATUS_LINE = /^HTTP\/1\.\d [1-9]\d\d(?: [\t -~\x80-\xff]*)?$/;
const STATUS_LINE = /^HTTP\/1\.[01] [1-9]\d\d(?: [\t -~\x80-\xff]*)?$/;

/** The first request in a text; `undefined` if its head is not complete. Throws Garbled. */
export function readRequest(text: string, reading: Reading = 'written'): Message | undefined {
  const sent = reading === 'sent';
  const head = sent ? readHead(text.replace(/^[\r\n]+/, ''), SENT_REQUEST_LINE) : readHead(text, REQUEST_LINE);
  if (head === undefined) return undefined;
  const old = sent && head.startLine.endsWith('1.0') && fieldsOf(head, 'host').length === 0;
  if (!old && fieldsOf(head, 'host').length !== 1) throw new Garbled('a request has not one Host field');
  return withBody(head, declaredFraming(head) ?? 'none', reading);
}

/** The first reply in a text to a request of that method, also an interim one. Throws Garbled. */
export function readReply(
  text: string,
  method: string,
  ended: boolean,
  reading: Reading = 'written',
): Message | undefined {
  const head = readHead(text, reading === 'sent' ? SENT_STATUS_LINE : STATUS_LINE);
  if (head === undefined) return undefined;
  const status = statusOf(head);
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const framing = bodiless ? 'none' : (declaredFraming(head) ?? 'close');
  const reply = withBody(head, framing, reading);
  return framing === 'close' ? { ...reply, complete: ended } : reply;
}

export function statusOf(reply: { readonly startLine: string }): number {
  return Number(reply.startLine.slice(9, 12));
}

/** The values of a field. */
export function fieldsOf(message: Pick<Message, 'fields'>, name: string): string[] {
  return message.fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
}

type Head = Pick<Message, 'startLine' | 'fields' | 'rest'>;

function readHead(text: string, startLine: RegExp): Head | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  if (!startLine.test(first)) throw new Garbled(`no start line: ${JSON.stringify(first)}`);
  return { startLine: first, fields: lines.map(readField), rest: text.slice(end + 4) };
}

function readField(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^[\t ]*|[\t ]*$/g, '');
  if (colon === -1 || !TOKEN.test(name) || !FIELD_VALUE.test(value)) {
    throw new Garbled(`no field: ${JSON.stringify(line)}`);
  }
  return [name, value];
}

function declaredFraming(head: Head): 'length' | 'chunked' | undefined {
  const lengths = fieldsOf(head, 'content-length');
  const codings = fieldsOf(head, 'transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Garbled('a message is framed more than once');
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== 'chunked') throw new Garbled(`a transfer coding: ${codings[0]}`);
    return 'chunked';
  }
  if (lengths.length === 0) return undefined;
  if (!/^\d{1,15}$/.test(lengths[0] as string)) throw new Garbled(`no length: ${lengths[0]}`);
  return 'length';
}

function withBody(head: Head, framing: Message['framing'], reading: Reading): Message {
  const { rest } = head;
  const message = { ...head, framing, trailers: [], complete: true };
  switch (framing) {
    case 'none':
      return { ...message, body: '' };
    case 'close':
      return { ...message, body: rest, rest: '' };
    case 'length': {
      const length = Number(fieldsOf(head, 'content-length')[0]);
      return { ...message, body: rest.slice(0, length), rest: rest.slice(length), complete: rest.length >= length };
    }
    case 'chunked':
      return { ...message, ...readChunks(rest, reading) };
  }
}

function readChunks(text: string, reading: Reading): Pick<Message, 'body' | 'trailers' | 'complete' | 'rest'> {
  const unfinished = (body: string) => ({ body, trailers: [], complete: false, rest: '' });
  let body = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) return unfinished(body);
    const whole = text.slice(at, end);
    const line = reading === 'sent' ? whole.replace(/^0*([0-9a-fA-F]+)[\t ]*(?:;[^\0\r\n]*)?$/, '$1') : whole;
    if (!/^[0-9a-fA-F]{1,13}$/.test(line)) throw new Garbled(`no chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = end + 2;
    if (size === 0) {
      if (text.startsWith('\r\n', at)) return { body, trailers: [], complete: true, rest: text.slice(at + 2) };
      const close = text.indexOf('\r\n\r\n', at);
      if (close === -1) return unfinished(body);
      const trailers = text.slice(at, close).split('\r\n').map(readField);
      return { body, trailers, complete: true, rest: text.slice(close + 4) };
    }
    body += text.slice(at, at + size);
    if (text.length < at + size + 2) return unfinished(body);
    if (!text.startsWith('\r\n', at + size)) throw new Garbled('a chunk is longer than its size');
    at += size + 2;
  }
}
