// The manners in which a replica of a history treats a request: most are done well, some slowly, some never, and some
// replies break or are none.

import type { Random } from '../../fixtures/random.ts';
import { type Attempt, bodyOf } from './journal.ts';

export interface Manner {
  readonly type:
    | 'well'
    | 'slow'
    | 'never'
    | 'early'
    | 'no-reply'
    | 'cut-head'
    | 'cut-body'
    | 'garbage'
    | 'excess'
    | 'interim'
    | 'stream';
  /** Until the reply begins. */
  readonly delayMs: number;
  readonly framing: 'length' | 'chunked' | 'close';
  readonly bodyBytes: number;
  readonly pieces: number;
  /** Between two pieces. */
  readonly pauseMs: number;
  readonly ending: 'goes-on' | 'close' | 'reset' | 'silence';
  /** All of the reply is sent. */
  readonly isWhole: boolean;
  /** The connection is closed so long after the reply. `undefined`: it is left open. */
  readonly closesInMs: number | undefined;
}

const LARGE_BYTES = 60_000;
const GARBAGE = ['HTTP/2 200 OK\r\n\r\n', '\0\0\0\0', 'HTTP/1.1 099 No\r\n\r\n', 'HTTP/1.1 200 OK\r\nA\r\n\r\n'];

/** How a replica treats a request of that method. */
export function drawManner(random: Random, isFaulty: boolean, method: string): Manner {
  const type = isFaulty ? drawType(random) : 'well';
  const isLarge = random.chance(0.03) && method !== 'HEAD' && type !== 'excess';
  const framing = (['length', 'length', 'chunked', 'close'] as const)[random.below(isFaulty ? 4 : 3)] ?? 'length';
  const closesInMs = isFaulty && random.chance(0.15) ? random.below(1500) : undefined;
  const breaks = type === 'no-reply' || type === 'cut-head' || type === 'cut-body';
  const closes = breaks || framing === 'close' || type === 'garbage' || type === 'early';
  const looksWhole = type === 'cut-body' && framing === 'close';
  const resets = looksWhole || (breaks && random.chance(0.5));
  const ending = type === 'never' ? 'silence' : resets ? 'reset' : closes ? 'close' : 'goes-on';
  return {
    type,
    delayMs: type === 'slow' ? random.below(4000) : type === 'well' ? random.below(40) : random.below(300),
    framing,
    bodyBytes: isLarge ? LARGE_BYTES : 1 + random.below(200),
    // Bytes that come in excess, and later, may be taken for the next reply by anybody.
    pieces: type === 'stream' ? 6 : isLarge ? 8 : random.chance(0.2) && type !== 'excess' ? 3 : 1,
    pauseMs: random.below(type === 'slow' || type === 'stream' ? 600 : 20),
    ending,
    isWhole: !breaks && type !== 'garbage',
    closesInMs,
  };
}

function drawType(random: Random): Manner['type'] {
  const drawn = random.below(100);
  if (drawn < 68) return 'well';
  if (drawn < 76) return 'slow';
  if (drawn < 78) return 'never';
  if (drawn < 80) return 'early';
  if (drawn < 87) return 'no-reply';
  if (drawn < 89) return 'cut-head';
  if (drawn < 92) return 'cut-body';
  if (drawn < 94) return 'garbage';
  if (drawn < 95) return 'excess';
  if (drawn < 98) return 'interim';
  return 'stream';
}

/** The reply, in the pieces in which it is sent. */
export function piecesOf(manner: Manner, attempt: Attempt, method: string): string[] {
  const { type, pieces: count } = manner;
  if (type === 'never' || type === 'no-reply') return [''];
  if (type === 'garbage') return [GARBAGE[attempt.number % GARBAGE.length] as string];
  const { head, body } = replyText(manner, attempt, method);
  // Behind a body that ends with the connection, it would be a part of that body.
  const excess = type === 'excess' && manner.framing !== 'close' ? EXCESS : '';
  const text = `${head}${body}${excess}`.slice(0, cutAt(type, head.length, body.length, attempt.number));
  const sizeBytes = Math.ceil(text.length / count);
  const cut = Array.from({ length: count }, (_, index) => text.slice(index * sizeBytes, (index + 1) * sizeBytes));
  const pieces = cut.filter((piece) => piece !== '');
  return type === 'interim' ? ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', ...pieces] : pieces;
}

const EXCESS = 'HTTP/1.1 200 OK\r\nX-Nonce: 0\r\nX-Attempt: 0\r\nContent-Length: 0\r\n\r\n';

// A reply that breaks has at least a byte, and never all of them.
function cutAt(type: Manner['type'], headBytes: number, bodyBytes: number, number: number): number {
  if (type === 'cut-head' || (type === 'cut-body' && bodyBytes === 0)) return 1 + (number % (headBytes - 1));
  return type === 'cut-body' ? headBytes + (number % bodyBytes) : Number.POSITIVE_INFINITY;
}

function replyText({ type, framing, bodyBytes }: Manner, { nonce, number }: Attempt, method: string) {
  const status = type === 'early' ? '413 Content Too Large' : '200 OK';
  const kind = type === 'stream' ? 'Content-Type: text/event-stream\r\n' : '';
  const fields = `HTTP/1.1 ${status}\r\n${kind}X-Nonce: ${nonce}\r\nX-Attempt: ${number}\r\n`;
  const body = method === 'HEAD' ? '' : bodyOf(`${nonce}.${number}`, bodyBytes);
  switch (framing) {
    case 'length':
      return { head: `${fields}Content-Length: ${bodyBytes}\r\n\r\n`, body };
    case 'chunked':
      return { head: `${fields}Transfer-Encoding: chunked\r\n\r\n`, body: method === 'HEAD' ? '' : chunked(body) };
    case 'close':
      return { head: `${fields}\r\n`, body };
  }
}

/** A body in two chunks. */
export function chunked(body: string): string {
  const half = Math.ceil(body.length / 2);
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== '');
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`;
}
