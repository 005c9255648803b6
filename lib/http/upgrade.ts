// Decides which protocols a connection may switch to (RFC 9110, 7.8). WebSocket and the like pass through as bytes that
// nobody here reads. Protocols that would change how this hop itself speaks are not offered to the replica.

import { BalancerError } from '../errors.ts';
import { kindOf } from './field-rules.ts';
import type { ParsedRequest } from './headers.ts';
import { elementsOf, hasToken } from './lists.ts';
import type { ReplyHead } from './reply-head.ts';

/**
 * What the request offers, as the value of an Upgrade field; empty if the request is to be handled as an ordinary one.
 */
export function offeredProtocols({ httpVersionMinor, rawHeaders }: ParsedRequest): string {
  let offered = '';
  let asked = false;
  if (httpVersionMinor === 0) return '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const lower = (rawHeaders[index] as string).toLowerCase();
    const value = rawHeaders[index + 1] as string;
    if (lower === 'connection') asked ||= hasToken(value.toLowerCase(), 'upgrade');
    if (lower === 'upgrade') offered = offered === '' ? value : `${offered},${value}`;
  }
  if (!asked) return '';
  // The attack: h2c smuggling, which is HTTP/2 spoken with the replica through a tunnel, past every rule of this proxy.
  return elementsOf(offered)
    .filter((protocol) => !/^(?:h2c?|http|tls)(?:\/|$)/i.test(protocol))
    .join(', ');
}

/** Size of the request's body as its head announces it; Infinity if it is chunked. */
export function announcedBytes({ rawHeaders }: ParsedRequest): number {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const lower = (rawHeaders[index] as string).toLowerCase();
    if (lower === 'transfer-encoding') return Number.POSITIVE_INFINITY;
    if (lower === 'content-length') return Number(rawHeaders[index + 1]);
  }
  return 0;
}

/** The text of the same head without its Upgrade field. */
export function withoutOffer(request: ParsedRequest): string {
  const { method, url, httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersionMajor}.${httpVersionMinor}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${rawHeaders[index + 1]}\r\n`;
  }
  return `${text}\r\n`;
}

/** Builds the head of a 101 for the client. Throws `bad-reply` if the replica switches to what was not offered. */
export function switchingHead(reply: ReplyHead, offered: string, omitsVia = false): string {
  let chosen = '';
  let passed = '';
  for (let index = 0; index < reply.fields.length; index += 2) {
    const name = reply.fields[index] as string;
    const lower = name.toLowerCase();
    if (lower === 'upgrade') chosen = reply.fields[index + 1] as string;
    else if (kindOf(lower) === 'hop' || lower === 'content-length') continue;
    else if (reply.nominated?.has(lower) !== true) passed += `${name}: ${reply.fields[index + 1]}\r\n`;
  }
  if (chosen === '' || !hasToken(offered.toLowerCase(), chosen.toLowerCase())) {
    throw new BalancerError(
      'bad-reply',
      'the reply of the replica is broken: it switches to a protocol that was not offered',
    );
  }
  const via = omitsVia ? '' : 'Via: 1.1 ringmaster\r\n';
  return `HTTP/1.1 101 ${reply.reason}\r\n${passed}${via}Connection: Upgrade\r\nUpgrade: ${chosen}\r\n\r\n`;
}
