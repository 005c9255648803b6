// Reads one line of an access log: of ringmaster's JSON, of the combined form of Apache and nginx, and of Caddy's JSON.

import type { KeySource } from '../../lib/core/request/key-source.ts';
import type { KeyedRequest } from '../../lib/proxy/keys/head-texts.ts';

export const FORMATS = ['ringmaster', 'combined', 'caddy'] as const;
export type Format = (typeof FORMATS)[number];

/** What a line says of a request. */
export interface Entry {
  /** When it was over, in ms since 1970; when it began, if `isStart`. */
  readonly atMs: number;
  readonly isStart: boolean;
  /** `undefined` if the log does not say. */
  readonly tookMs: number | undefined;
  readonly request: KeyedRequest;
  readonly client: string;
  readonly sentBytes: number;
  /** Only of ringmaster: what it was hashed by, its id, and who took it. */
  readonly key?: number;
  readonly requestId?: number;
  readonly seat?: number;
  /** No replica had it: the balancer answered it, or refused it. */
  readonly isOwn: boolean;
  /** The log hides cookies. */
  readonly hidesCookie?: boolean;
}

/** Throws with what is wrong with the line. */
export function readEntry(format: Format, text: string): Entry {
  switch (format) {
    case 'ringmaster':
      return readRingmaster(parsed(text));
    case 'caddy':
      return readCaddy(parsed(text));
    case 'combined':
      return readCombined(text);
  }
}

/** The format of a line; `undefined` if it is none. */
export function detect(text: string): Format | undefined {
  return FORMATS.find((format) => {
    try {
      readEntry(format, text);
      return true;
    } catch {
      return false;
    }
  });
}

const HEADERS: Readonly<Record<Format, readonly string[] | 'all'>> = {
  ringmaster: ['host', 'user-agent', 'referer'],
  combined: ['user-agent', 'referer'],
  caddy: 'all',
};

/** The first part of a key that lines of that format do not have. */
export function missingPart(format: Format, sources: readonly KeySource[]): KeySource | undefined {
  const parts = sources.flatMap((source): readonly KeySource[] => (source.type === 'all' ? source.parts : [source]));
  return parts.find((part) => !has(format, part));
}

function has(format: Format, part: KeySource): boolean {
  switch (part.type) {
    case 'header':
      return HEADERS[format] === 'all' || HEADERS[format].includes(part.name.toLowerCase());
    case 'cookie':
      return format === 'caddy';
    case 'host':
      return format !== 'combined';
    case 'json':
    case 'prompt':
    case 'learn':
    case 'function':
      return false;
    default:
      return true;
  }
}

type Json = Readonly<Record<string, unknown>>;

function parsed(text: string): Json {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('is no JSON object');
  return value as Json;
}

function readRingmaster(line: Json): Entry {
  const { time, client, method, target, host, requestId, key, seat, totalMs, bytesOut, userAgent, referer } = line;
  if (typeof requestId !== 'number') throw new Error('has no requestId');
  const atMs = Date.parse(String(time));
  if (Number.isNaN(atMs)) throw new Error('has no time');
  const rawHeaders: string[] = [];
  if (typeof host === 'string') rawHeaders.push('host', host);
  if (typeof userAgent === 'string') rawHeaders.push('user-agent', userAgent);
  if (typeof referer === 'string') rawHeaders.push('referer', referer);
  return {
    ...{ atMs, isStart: false, requestId, sentBytes: amount(bytesOut) },
    tookMs: typeof totalMs === 'number' && totalMs >= 0 ? totalMs : undefined,
    request: { method: String(method), url: typeof target === 'string' ? target : '/', rawHeaders },
    client: String(client),
    ...(typeof key === 'number' ? { key } : {}),
    ...(typeof seat === 'number' ? { seat } : {}),
    isOwn: typeof seat !== 'number' || typeof key !== 'number',
  };
}

function readCaddy({ ts, duration, size, request, status }: Json): Entry {
  if (typeof request !== 'object' || request === null) throw new Error('has no request');
  if (typeof status !== 'number') throw new Error('has no status');
  const { method, uri, host, headers, client_ip, remote_ip } = request as Json;
  const atMs = typeof ts === 'number' ? 1000 * ts : Date.parse(String(ts));
  if (Number.isNaN(atMs)) throw new Error('has no ts');
  const rawHeaders = typeof host === 'string' ? ['host', host] : [];
  let hidesCookie = false;
  for (const [name, values] of Object.entries((headers ?? {}) as Json)) {
    for (const value of Array.isArray(values) ? values : []) {
      if (value === 'REDACTED') hidesCookie ||= name.toLowerCase() === 'cookie';
      else rawHeaders.push(name, asBytes(String(value)));
    }
  }
  return {
    ...{ atMs, isStart: false, isOwn: false, hidesCookie, sentBytes: amount(size) },
    tookMs: typeof duration === 'number' && duration >= 0 ? 1000 * duration : undefined,
    request: { method: String(method), url: typeof uri === 'string' ? asBytes(uri) : '/', rawHeaders },
    client: String(client_ip ?? remote_ip),
  };
}

// As the balancer has texts: a character for each byte. Lines are read that way, but escapes in JSON are characters.
function asBytes(text: string): string {
  return /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

// Without the last two texts it is the common form.
const COMBINED =
  /^(\S+) \S+ [^[]*\[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function readCombined(text: string): Entry {
  const [, client, time, line = '', , bytes, referer = '-', agent = '-'] = COMBINED.exec(text) ?? [];
  if (client === undefined || time === undefined) throw new Error('is not in the combined form');
  const [method = '', url] = unescaped(line).split(' ');
  const rawHeaders: string[] = [];
  if (agent !== '-') rawHeaders.push('user-agent', unescaped(agent));
  if (referer !== '-') rawHeaders.push('referer', unescaped(referer));
  return {
    ...{ atMs: timeOf(time), isStart: true, tookMs: undefined, client, isOwn: false },
    request: { method, url: url ?? '/', rawHeaders },
    sentBytes: bytes === '-' ? 0 : Number(bytes),
  };
}

let lastTime = '';
let lastMs = Number.NaN;

// Many lines have the same second.
function timeOf(written: string): number {
  if (written === lastTime) return lastMs;
  const [, day, month = '', year, hours, minutes, seconds, sign, zoneHours, zoneMinutes] =
    /^(\d\d)\/(\w{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(written) ?? [];
  const at = MONTHS.indexOf(month);
  if (at === -1) throw new Error(`has no time: ${written.slice(0, 40)}`);
  const zoneMs = (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  lastMs = Date.UTC(Number(year), at, Number(day), Number(hours), Number(minutes), Number(seconds)) - zoneMs;
  lastTime = written;
  return lastMs;
}

// As nginx and Apache write what would end the text.
function unescaped(text: string): string {
  return text.includes('\\')
    ? text.replaceAll(/\\(?:x([\da-fA-F]{2})|(.))/g, (_, code: string | undefined, other: string) =>
        code === undefined ? other : String.fromCharCode(Number.parseInt(code, 16)),
      )
    : text;
}

function amount(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}
