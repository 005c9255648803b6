// One connection of a client in a chaos run, on bare sockets: it sends what it is told, once, and says what came of it.
// It repeats nothing, so that what is executed twice was repeated by the balancer.

import { createHash } from 'node:crypto';
import net from 'node:net';
import { type Asked, monotonicMs, type Outcome, type Way } from './history.ts';
import { type Reply, ReplyReader } from './reply.ts';

/** A request as it is to be sent. */
export interface Wish {
  readonly nonce: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly way: Way;
  /** Of the body that is sent; with 0 there is none. */
  readonly bytes: number;
  readonly isChunked: boolean;
  /** The body waits for the interim reply. */
  readonly expects: boolean;
  readonly replyBytes: number;
  readonly isReplyChunked: boolean;
  /** How long the replica is to take. */
  readonly waitMs: number;
}

interface Pending {
  readonly wish: Wish;
  readonly body: Buffer;
  readonly sentMs: number;
  readonly reused: boolean;
  interim: boolean;
}

const LIMIT_MS = 25_000;
const EXPECT_LIMIT_MS = 1000;
const SLOW_PIECES = 4;
const SLOW_PAUSE_MS = 60;
const SLOW_READ_BYTES = 256 * 1024;

const digestOf = (body: Buffer) => createHash('sha1').update(body).digest('hex');

export class Connection {
  readonly #socket: net.Socket;
  readonly #tell: (asked: Asked) => void;
  readonly #reader: ReplyReader;
  readonly #pending: Pending[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #sent = 0;
  #failure: { readonly outcome: Outcome; readonly words: string } | undefined;
  #goOn: (() => void) | undefined;
  #closes = false;
  #whenFree: () => void = () => undefined;

  /** @param tell is called once for each request, when it is over. */
  constructor(port: number, tell: (asked: Asked) => void) {
    this.#tell = tell;
    this.#reader = new ReplyReader(() => this.#interim());
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (piece: Buffer) => this.#read(piece));
    this.#socket.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      this.#failure ??= { outcome: code === 'ECONNREFUSED' ? 'refused' : 'reset', words: message };
    });
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('close', () => this.#over());
  }

  /** Whether another request may go over it, as far as is known. */
  get isOpen(): boolean {
    return !this.#closes && !this.#socket.destroyed && this.#socket.writable;
  }

  /** Sends them one behind the other, and resolves when all are over. */
  async ask(...wishes: readonly Wish[]): Promise<void> {
    const over = new Promise<void>((resolve) => {
      this.#whenFree = resolve;
    });
    const limit = this.#later(LIMIT_MS, () => {
      this.#failure ??= { outcome: 'timeout', words: `nothing within ${LIMIT_MS} ms` };
      this.#socket.destroy();
    });
    for (const wish of wishes) {
      const body = Buffer.alloc(wish.bytes, `${wish.nonce} of the client\n`);
      this.#pending.push({ wish, body, sentMs: monotonicMs(), reused: this.#sent > 0, interim: false });
      this.#sent += 1;
      this.#send(wish, body);
    }
    await over;
    clearTimeout(limit);
    this.#timers.delete(limit);
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(wish: Wish, body: Buffer): void {
    const { nonce, method, way, bytes, isChunked, expects, replyBytes, isReplyChunked, waitMs } = wish;
    const path = `/work?nonce=${nonce}&size=${replyBytes}&wait=${waitMs}${isReplyChunked ? '&chunked' : ''}`;
    const framing = isChunked ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${bytes}\r\n`;
    const lines = [
      `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`,
      bytes > 0 ? framing : '',
      expects ? 'Expect: 100-continue\r\n' : '',
      way === 'fresh' || way === 'burst' ? 'Connection: close\r\n' : '',
    ];
    this.#socket.write(`${lines.join('')}\r\n`);
    const sendBody = () => this.#sendBody(wish, body);
    if (expects) {
      this.#goOn = sendBody;
      this.#later(EXPECT_LIMIT_MS, () => this.#interim());
    } else sendBody();
  }

  #sendBody({ way, bytes, isChunked }: Wish, body: Buffer): void {
    const pieces = way === 'slow-sender' ? SLOW_PIECES : 1;
    const each = Math.ceil(bytes / pieces);
    const send = (from: number) => {
      if (this.#socket.destroyed) return;
      const piece = body.subarray(from, from + each);
      if (isChunked && piece.length > 0) this.#socket.write(`${piece.length.toString(16)}\r\n`);
      this.#socket.write(piece);
      if (isChunked && piece.length > 0) this.#socket.write('\r\n');
      if (from + each < bytes) this.#later(SLOW_PAUSE_MS, () => send(from + each));
      else this.#sentWhole(way, isChunked && bytes > 0);
    };
    send(0);
  }

  #sentWhole(way: Way, isChunked: boolean): void {
    if (isChunked) this.#socket.write('0\r\n\r\n');
    if (way === 'half-closed') this.#socket.end();
    if (way === 'left') this.#later(SLOW_PAUSE_MS / 2, () => this.#socket.destroy());
  }

  #interim(): void {
    const [first] = this.#pending;
    if (this.#goOn === undefined || first === undefined) return;
    first.interim = true;
    this.#goOn();
    this.#goOn = undefined;
  }

  #read(piece: Buffer): void {
    let replies: Reply[];
    try {
      replies = this.#reader.push(piece);
    } catch (error) {
      this.#failure ??= { outcome: 'cut', words: (error as Error).message };
      this.#socket.destroy();
      return;
    }
    for (const reply of replies) {
      if (reply.fields.get('connection')?.toLowerCase() === 'close') this.#closes = true;
      const pending = this.#pending.shift();
      // Nobody asked for this one: the judge is told by a nonce that nobody sent.
      if (pending === undefined) this.#tell(unasked(reply));
      else this.#tell(entryOf(pending, 'answered', reply, ''));
    }
    if (this.#pending[0]?.wish.way === 'slow-reader' && piece.length > 0) this.#pause();
    if (this.#pending.length > 0) return;
    if (this.#closes) this.#socket.destroy();
    else if (replies.length > 0) this.#whenFree();
  }

  #pause(): void {
    if (this.#socket.bytesRead % SLOW_READ_BYTES > 64 * 1024) return;
    this.#socket.pause();
    this.#later(SLOW_PAUSE_MS, () => this.#socket.resume());
  }

  #over(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    const isAmid = this.#reader.isAmid;
    const { outcome, words } = this.#failure ?? { outcome: 'ended' as const, words: '' };
    const [first, ...behind] = this.#pending.splice(0);
    if (first !== undefined) {
      const known = outcome === 'timeout' ? outcome : isAmid ? 'cut' : outcome;
      const what = this.#closes ? 'unanswered' : known;
      this.#tell(entryOf(first, what, { ...NO_REPLY, ...headOf(this.#reader) }, words));
    }
    for (const one of behind) this.#tell(entryOf(one, 'unanswered', NO_REPLY, words));
    this.#whenFree();
  }

  #later(ms: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }
}

const NO_REPLY: Reply = { status: 0, fields: new Map(), bytes: 0, digest: '', beginning: '' };

function headOf({ head }: ReplyReader): Partial<Reply> {
  return head === undefined ? {} : { status: head.status, fields: head.fields };
}

function entryOf(
  { wish, body, sentMs, reused, interim }: Pending,
  outcome: Outcome,
  reply: Reply,
  words: string,
): Asked {
  const { nonce, method, way } = wish;
  const { status, fields, bytes, digest, beginning } = reply;
  return {
    ...{ is: 'asked', nonce, method, way, sentMs, endMs: monotonicMs() },
    ...{ bytes: body.length, digest: digestOf(body), reused, interim, outcome, status },
    ...{ echo: fields.get('x-nonce') ?? '', life: fields.get('x-life') ?? '' },
    ...{ replyBytes: bytes, replyDigest: digest },
    words: status >= 400 && outcome === 'answered' ? beginning : words,
  };
}

function unasked(reply: Reply): Asked {
  const wish: Wish = {
    ...{ nonce: 'of-nobody', method: 'GET', way: 'kept', bytes: 0, isChunked: false, expects: false },
    ...{ replyBytes: 0, isReplyChunked: false, waitMs: 0 },
  };
  const pending = { wish, body: Buffer.alloc(0), sentMs: monotonicMs(), reused: true, interim: false };
  return entryOf(pending, 'answered', reply, '');
}
