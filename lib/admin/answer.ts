// Reads the body of a request to the balancer itself, and writes the answer. Both have a limit of size, and of time for
// the whole: whoever sends or reads a byte now and then gains nothing. routes.ts decides what the answer is.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/ports.ts';
import { BalancerError, failureBody } from '../errors.ts';
import { pathOf } from '../http/target.ts';

export interface AnswerLimits {
  readonly clock: Clock;
  /** For the whole body of a request, in ms. */
  readonly readTimeoutMs: number;
  /**
   * For the client to take the whole answer, in ms. The work in between has no limit, since a replica takes as long as
   * it takes.
   */
  readonly takeTimeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  /** The body in parts, so that a part that many answers share need not be copied. */
  readonly parts: readonly Buffer[];
}

const MAX_BODY_BYTES = 65_536;
const MAX_DROPPED_BYTES = 16 * 2 ** 20;
// The attack: a browser takes JSON with somebody else's text in it for a page (test/admin/answers.test.ts).
const JSON_FIELDS = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };

const LINE_END = Buffer.from('\n');
/** Endpoints that scripts of others were written for. */
const CONTRACT = new Set(['/rep', '/add', '/rm']);

export function jsonAnswer(...parts: readonly Buffer[]): Answer {
  return { status: 200, fields: JSON_FIELDS, parts };
}

/** Any value as JSON. */
export function json(value: unknown): Answer {
  return jsonAnswer(Buffer.from(JSON.stringify(value)));
}

/** The value in the envelope of the contract. */
export function success(message: unknown): Answer {
  return json({ message, status: 'successful' });
}

export function failureAnswer(error: BalancerError): Answer {
  // A 401 must say what to show (RFC 9110, 15.5.2).
  const challenge = error.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="ringmaster"' } : {};
  const fields = { ...JSON_FIELDS, ...challenge };
  return { status: error.status, fields, parts: [Buffer.from(failureBody(error.message))] };
}

/**
 * JSON as a line of text, for whoever reads it in a terminal. Bodies of the contract stay as they are, to the byte.
 * @param url of the request, as it was sent.
 */
export function withLineEnd(answer: Answer, url: string): Answer {
  if (answer.fields['Content-Type'] !== 'application/json' || CONTRACT.has(pathOf(url))) return answer;
  return { ...answer, parts: [...answer.parts, LINE_END] };
}

/** Does the request have a body? A chunked one may turn out to be empty. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Does the client wait to be told that its body is wanted? */
export function waitsToSend({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue' && httpVersion !== '1.0';
}

/**
 * The whole body as text. Rejects with `request-timeout`, `body-too-large`, or `bad-request` if it ends too early.
 * The attack: bodies that are promised and never come, on as many connections as there may be
 * (test/admin/answers.test.ts).
 */
export async function readBody(request: IncomingMessage, limits: AnswerLimits): Promise<string> {
  const { clock, readTimeoutMs } = limits;
  const { promise: whole, resolve, reject } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const tooLarge = () => new BalancerError('body-too-large', `the body is larger than ${MAX_BODY_BYTES} bytes`);
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_BODY_BYTES) chunks.push(chunk);
    // A body that is only somewhat too large is read to its end, so that its client reads the answer.
    else if (sizeBytes > MAX_DROPPED_BYTES) reject(tooLarge());
  });
  request.once('end', resolve);
  // On the public port, this event tells that the body cannot be parsed, or that the client has ended its side.
  request.on('error', (error) => error instanceof BalancerError && reject(error));
  request.once('close', () => reject(new BalancerError('bad-request', 'the request ended before its body was whole')));
  const read = new AbortController();
  clock.sleep(readTimeoutMs, read.signal).then(
    () => reject(new BalancerError('request-timeout', `the body was not whole within ${readTimeoutMs} ms`)),
    () => undefined,
  );
  try {
    await whole;
  } finally {
    read.abort();
  }
  if (sizeBytes > MAX_BODY_BYTES) throw tooLarge();
  return Buffer.concat(chunks).toString();
}

/**
 * Writes the answer, and ends the connection if it is not taken in time.
 * The attack: a page of megabytes is requested and never read (test/admin/answers.test.ts).
 */
export function send(response: ServerResponse, answer: Answer, limits: AnswerLimits): void {
  const lengthBytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
  // If the body was not read to its end, no other request can follow it.
  const ending = response.req.complete ? {} : { Connection: 'close' };
  response.writeHead(answer.status, { ...answer.fields, ...ending, 'Content-Length': lengthBytes });
  for (const part of answer.parts) response.write(part);
  response.end();
  if (response.writableFinished) return;
  const taken = new AbortController();
  response.once('close', () => taken.abort());
  limits.clock.sleep(limits.takeTimeoutMs, taken.signal).then(
    () => response.destroy(),
    () => undefined,
  );
}
