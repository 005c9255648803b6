// Which protocols a connection may be switched to (RFC 9110, 7.8). WebSocket and the like pass through as bytes that nobody here
// reads; what would change how this hop itself speaks is not offered on.

import { BalancerError } from '../errors.ts';
import { kindOf } from './field-rules.ts';
import type { ParsedRequest } from './headers.ts';
import { elementsOf, hasToken } from './lists.ts';
import type { ReplyHead } from './reply-head.ts';

/**
 * What the request offers, as the value of an Upgrade field; empty if it is to be taken as an ordinary request. One with a
 * body is: the offer may be passed over, and the bytes behind a body are not to be mistaken for it.
 */
export function offeredProtocols({ httpVersionMinor, rawHeaders }: ParsedRequest): string {
  let offered = '';
  let asked = false;
  if (httpVersionMinor === 0) return '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const lower = (rawHeaders[index] as string).toLowerCase();
    const value = rawHeaders[index + 1] as string;
    if (lower === 'transfer-encoding' || (lower === 'content-length' && value !== '0')) return '';
    if (lower === 'connection') asked ||= hasToken(value.toLowerCase(), 'upgrade');
    if (lower === 'upgrade') offered = offered === '' ? value : `${offered},${value}`;
  }
  if (!asked) return '';
  // The attack: HTTP/2 spoken with the replica through a tunnel, where no rule of this proxy is looked at (h2c smuggling).
  return elementsOf(offered)
    .filter((protocol) => !/^(?:h2c?|http|tls)(?:\/|$)/i.test(protocol))
    .join(', ');
}

/** The head of a 101 for the client. Throws `bad-reply` if the replica switches to what was not offered. */
export function switchingHead(reply: ReplyHead, offered: string): string {
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
  return `HTTP/1.1 101 ${reply.reason}\r\n${passed}Via: 1.1 ringmaster\r\nConnection: Upgrade\r\nUpgrade: ${chosen}\r\n\r\n`;
}
