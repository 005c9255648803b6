// Writes lines of the access log in JSON. The reference (.github/pages) says what the fields mean.

import { type Entry, loggedFields, type Outcome } from './entry.ts';
import { change, fixed, type LineBytes, type Part } from './line-bytes.ts';
import { isTraceparent } from './trace-context.ts';

/**
 * A line in ASCII, with its newline.
 * The attack: a target or a field whose bytes end a text or a line, so that what follows reads as a line of its own, or
 * that are no UTF-8, so that nobody can read the file (test/proxy/access-lines.test.ts).
 */
export function writeJson(line: LineBytes, entry: Entry, { status, ended, slot, nowMs }: Outcome): void {
  const { request, key, agent, times } = entry;
  const { startedMs, placedMs, connectedMs, answeredMs, endedMs } = times;
  const { host, traceparent, userAgent, referer } = loggedFields(request);
  line.begin();
  line.fixed(TIME);
  writeTime(line, nowMs);
  text(line, CLIENT, entry.client);
  text(line, METHOD, request?.method);
  text(line, TARGET, request?.url);
  text(line, HOST, host);
  line.fixed(VERSION);
  if (request === undefined) line.fixed(NULL);
  else if (request.httpVersionMajor === 1) line.fixed(request.httpVersionMinor === 1 ? HTTP_1_1 : HTTP_1_0);
  else line.fixed(HTTP_OTHER);
  integer(line, STATUS, status);
  integer(line, REQUEST_ID, entry.requestId);
  integer(line, KEY, key);
  integer(line, SLOT, slot);
  text(line, REPLICA, agent?.replica.hostname);
  integer(line, SEAT, agent?.replica.seat);
  if (entry.attempts === 1 && entry.losses.length === 0) line.fixed(ONE_ATTEMPT);
  else writeAttempts(line, entry);
  integer(line, BYTES_IN, entry.receivedBytes);
  integer(line, BYTES_OUT, entry.sentBytes);
  between(line, QUEUE, startedMs, placedMs);
  if (placedMs > 0 && connectedMs === 0) integer(line, CONNECT, 0);
  else between(line, CONNECT, placedMs, connectedMs);
  between(line, FIRST_BYTE, startedMs, answeredMs);
  between(line, TOTAL, startedMs, endedMs);
  text(line, ENDED, ended);
  text(line, TRACEPARENT, traceparent !== undefined && isTraceparent(traceparent) ? traceparent : undefined);
  text(line, USER_AGENT, userAgent);
  text(line, REFERER, referer);
  line.fixed(END);
}

const TIME = fixed('{"time":"');
const CLIENT = fixed('","client":');
const METHOD = fixed(',"method":');
const TARGET = fixed(',"target":');
const HOST = fixed(',"host":');
const VERSION = fixed(',"version":');
const HTTP_1_1 = fixed('"1.1"');
const HTTP_1_0 = fixed('"1.0"');
const HTTP_OTHER = fixed('"0.0"');
const STATUS = fixed(',"status":');
const REQUEST_ID = fixed(',"requestId":');
const KEY = fixed(',"key":');
const SLOT = fixed(',"slot":');
const REPLICA = fixed(',"replica":');
const SEAT = fixed(',"seat":');
const ATTEMPTS = fixed(',"attempts":');
// As nearly all have it.
const ONE_ATTEMPT = fixed(',"attempts":1,"lost":[]');
const NONE_LOST = fixed(',"lost":[]');
const LOST = fixed(',"lost":[{"seat":');
const NEXT_LOST = fixed('},{"seat":');
const WHY = fixed(',"why":');
const LOST_END = fixed('}]');
const BYTES_IN = fixed(',"bytesIn":');
const BYTES_OUT = fixed(',"bytesOut":');
const QUEUE = fixed(',"queueMs":');
const CONNECT = fixed(',"connectMs":');
const FIRST_BYTE = fixed(',"firstByteMs":');
const TOTAL = fixed(',"totalMs":');
const ENDED = fixed(',"ended":');
const TRACEPARENT = fixed(',"traceparent":');
const USER_AGENT = fixed(',"userAgent":');
const REFERER = fixed(',"referer":');
const END = fixed('}\n');
const NULL = fixed('null');
const Z = fixed('Z');

function text(line: LineBytes, name: Part, value: string | undefined): void {
  line.fixed(name);
  if (value === undefined) line.fixed(NULL);
  else line.jsonText(value);
}

function integer(line: LineBytes, name: Part, value: number | undefined): void {
  line.fixed(name);
  if (value === undefined) line.fixed(NULL);
  else line.integer(value);
}

// In ms with µs; null if the later one has not come.
function between(line: LineBytes, name: Part, fromMs: number, toMs: number): void {
  line.fixed(name);
  if (toMs === 0) {
    line.fixed(NULL);
    return;
  }
  line.thousandths(Math.max(0, Math.round((toMs - fromMs) * 1000)));
}

function writeAttempts(line: LineBytes, { attempts, losses }: Entry): void {
  integer(line, ATTEMPTS, attempts);
  if (losses.length === 0) {
    line.fixed(NONE_LOST);
    return;
  }
  for (const [index, { replica, why }] of losses.entries()) {
    integer(line, index === 0 ? LOST : NEXT_LOST, replica.seat);
    text(line, REPLICA, replica.hostname);
    text(line, WHY, why);
  }
  line.fixed(LOST_END);
}

let second = Number.NaN;
const UP_TO_SECOND = fixed('0000-00-00T00:00:00.');

function writeTime(line: LineBytes, nowMs: number): void {
  const nowS = Math.floor(nowMs / 1000);
  if (nowS !== second) {
    second = nowS;
    change(UP_TO_SECOND, new Date(nowMs).toISOString().slice(0, -'000Z'.length));
  }
  line.fixed(UP_TO_SECOND);
  line.threeDigits(nowMs - 1000 * nowS);
  line.fixed(Z);
}
