// Makes the lines of the access log in JSON. They are put together from text, field by field: JSON.stringify of an
// object takes three times as long. README.md says what the fields mean, and a test compares it with FIELDS.

import { type Entry, loggedFields, type Outcome, THREE_DIGITS } from './entry.ts';
import { isTraceparent } from './trace-context.ts';

/** A line in ASCII, with its newline. What comes from outside cannot end the line, nor a text in it. */
export function jsonLine(entry: Entry, { status, ended, slot, nowMs }: Outcome): string {
  const { request, requestId, key, agent, attempts, losses, receivedBytes, sentBytes, times } = entry;
  const fields = loggedFields(request);
  const { traceparent } = fields;
  const { startedMs, placedMs, connectedMs, answeredMs, endedMs } = times;
  return (
    `{"time":"${isoTime(nowMs)}","client":${quoted(entry.client)},"method":${quoted(request?.method)},` +
    `"target":${quoted(request?.url)},"host":${quoted(fields.host)},` +
    `"version":${request === undefined ? 'null' : `"${request.httpVersionMajor}.${request.httpVersionMinor}"`},` +
    `"status":${status},"requestId":${requestId},"key":${typeof key === 'number' ? key : quoted(key)},` +
    `"slot":${slot ?? 'null'},"replica":${quoted(agent?.replica.hostname)},"seat":${agent?.replica.seat ?? 'null'},` +
    `"attempts":${attempts},"lost":${losses.length === 0 ? '[]' : lost(losses)},` +
    `"bytesIn":${receivedBytes},"bytesOut":${sentBytes},"queueMs":${between(startedMs, placedMs)},` +
    `"connectMs":${placedMs > 0 && connectedMs === 0 ? '0' : between(placedMs, connectedMs)},` +
    `"firstByteMs":${between(startedMs, answeredMs)},"totalMs":${between(startedMs, endedMs)},"ended":"${ended}",` +
    `"traceparent":${traceparent !== undefined && isTraceparent(traceparent) ? quoted(traceparent) : 'null'},` +
    `"userAgent":${quoted(fields.userAgent)},"referer":${quoted(fields.referer)}}\n`
  );
}

function lost(losses: Entry['losses']): string {
  return `[${losses.map(({ replica, why }) => `{"seat":${replica.seat},"replica":${quoted(replica.hostname)},"why":"${why}"}`).join(',')}]`;
}

// The attack: a target or a field whose bytes end a text or a line, so that what follows reads as a line of its own, or
// that are no UTF-8, so that nobody can read the file (test/proxy/access-lines.test.ts).
const UNSAFE = /[^ !#-[\]-~]/;

function quoted(text: string | undefined): string {
  if (text === undefined) return 'null';
  if (!UNSAFE.test(text)) return `"${text}"`;
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// In ms with µs; null if the later one has not come.
function between(fromMs: number, toMs: number): string {
  if (toMs === 0) return 'null';
  const us = Math.max(0, Math.round((toMs - fromMs) * 1000));
  return `${Math.floor(us / 1000)}.${THREE_DIGITS[us % 1000]}`;
}

let second = Number.NaN;
let upToSecond = '';

function isoTime(nowMs: number): string {
  const nowS = Math.floor(nowMs / 1000);
  if (nowS !== second) {
    second = nowS;
    upToSecond = new Date(nowMs).toISOString().slice(0, -'000Z'.length);
  }
  return `${upToSecond}${THREE_DIGITS[nowMs - 1000 * nowS]}Z`;
}
