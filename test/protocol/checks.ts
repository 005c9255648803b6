// What cases require of an outcome. Each check says what is wrong, or nothing.

import type { Check, Outcome } from './case.ts';
import { fieldsOf, type Message, statusOf } from './message.ts';

/** The client's first final reply. */
export function finalReply(seen: Outcome): Message | undefined {
  return seen.replies.find((reply) => statusOf(reply) >= 200);
}

const short = (text: string) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** The first final reply has one of these statuses. */
export function status(...allowed: number[]): Check {
  return (seen) => {
    const reply = finalReply(seen);
    if (reply === undefined) return `no reply, but ${short(seen.text)} and ${seen.ended}`;
    return allowed.includes(statusOf(reply)) ? undefined : `${statusOf(reply)} instead of ${allowed.join(' or ')}`;
  };
}

/** The request is refused as the client's fault, its connection is closed, and no replica gets any of it. */
export function refused(...allowed: number[]): readonly Check[] {
  return [status(...(allowed.length === 0 ? [400] : allowed)), closed, neverSent];
}

/** A body goes wrong on its way: the client gets an error or a cut, and no replica gets a complete request. */
export const brokenOff: readonly Check[] = [
  (seen) => {
    const reply = finalReply(seen);
    return reply === undefined || statusOf(reply) >= 400 ? undefined : `it was answered with ${statusOf(reply)}`;
  },
  (seen) => (seen.ended === 'open' ? 'the client’s connection stays open' : undefined),
  neverWhole,
];

export function closed(seen: Outcome): string | undefined {
  return seen.ended === 'closed' ? undefined : `the client’s connection is ${seen.ended}, not closed`;
}

/** No byte of the request has reached a replica. */
export function neverSent(seen: Outcome): string | undefined {
  const got = seen.connections.map((side) => side.text).join('');
  return got === '' ? undefined : `a replica got ${short(got)}`;
}

/** A replica that has a part of the request is cut off, so that it cannot take the part for the whole. */
export function neverWhole(seen: Outcome): string | undefined {
  if (seen.requests.some((request) => request.complete)) return 'a replica got a whole request';
  const open = seen.connections.some((side) => side.text !== '' && !side.ended);
  return open ? 'a replica still waits for the rest' : undefined;
}

/** The first final reply is complete, with this status and this body. */
export function gets(expected: number, body?: string): Check {
  return (seen) => {
    const reply = finalReply(seen);
    if (reply === undefined) return `no reply, but ${short(seen.text)} and ${seen.ended}`;
    if (statusOf(reply) !== expected) return `${statusOf(reply)} instead of ${expected}`;
    if (!reply.complete) return 'the reply is not complete';
    return body === undefined || reply.body === body ? undefined : `the body is ${short(reply.body)}`;
  };
}

/** The client can see that its reply is not complete. */
export function cutOff(seen: Outcome): string | undefined {
  const reply = finalReply(seen);
  if (reply !== undefined && statusOf(reply) === 502 && reply.complete) return undefined;
  if (seen.ended === 'open') return 'the client waits for more';
  if (reply === undefined) return undefined;
  if (reply.framing === 'close') return seen.ended === 'reset' ? undefined : 'the cut looks like an end';
  return reply.complete ? `a whole ${statusOf(reply)} of what was cut` : undefined;
}

/** The client gets a 502. */
export const badGateway: Check = status(502);

/** The bytes that the client got fit. */
export function clientSees(pattern: RegExp): Check {
  return (seen) => (pattern.test(seen.text) ? undefined : `the client got ${short(seen.text)}, not ${pattern}`);
}

export function clientNeverSees(pattern: RegExp): Check {
  return (seen) => (pattern.test(seen.text) ? `the client got ${pattern}: ${short(seen.text)}` : undefined);
}

/** This many requests have reached replicas, all of them complete. */
export function requests(count: number): Check {
  return (seen) => {
    const whole = seen.requests.filter((request) => request.complete).length;
    return whole === count && seen.requests.length === count
      ? undefined
      : `${seen.requests.length} requests (${whole} whole) at replicas, not ${count}`;
  };
}

/** What has to be true of a request at the replica; requests are numbered from 0. */
export function replicaGets(holds: (request: Message) => boolean, what: string, index = 0): Check {
  return (seen) => {
    const request = seen.requests[index];
    if (request === undefined) return `no request ${index} at a replica`;
    return holds(request) ? undefined : `the replica did not get ${what}: ${short(describe(request))}`;
  };
}

export function replicaGetsBody(body: string, framing?: 'length' | 'chunked'): Check {
  return replicaGets(
    (request) => request.complete && request.body === body && (framing === undefined || request.framing === framing),
    `the body ${short(body)} ${framing ?? ''}`,
  );
}

/** All values of a field at the replica. */
export function replicaGetsField(name: string, ...values: string[]): Check {
  return replicaGets(
    (request) => JSON.stringify(fieldsOf(request, name.toLowerCase())) === JSON.stringify(values),
    `${name}: ${values.join(' | ') || '(none)'}`,
  );
}

/** All values of a field of the client's final reply. */
export function clientGetsField(name: string, ...values: string[]): Check {
  return (seen) => {
    const reply = finalReply(seen);
    const found = reply === undefined ? [] : fieldsOf(reply, name.toLowerCase());
    return JSON.stringify(found) === JSON.stringify(values)
      ? undefined
      : `${name} at the client is ${short(found.join(' | '))}, not ${short(values.join(' | '))}`;
  };
}

/** Requests came on this many connections. */
export function connections(count: number): Check {
  return (seen) => {
    const used = seen.connections.filter((side) => side.text !== '').length;
    return used === count ? undefined : `${used} connections to replicas, not ${count}`;
  };
}

function describe(request: Message): string {
  return `${request.startLine} ${request.fields.map((field) => field.join(': ')).join(', ')} [${request.framing}] ${request.body}`;
}
