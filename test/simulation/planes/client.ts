// A client of a history: a connection on which it asks one request after the other, or several at once, and reads the
// replies with the strict reader of test/protocol/. It may leave, and it may be slow to read.

import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import { fieldsOf, readReply, statusOf } from '../../protocol/message.ts';
import type { FarEnd, FarPlayer } from '../network/far-end.ts';
import { Echoes } from './echoes.ts';
import { type Asked, bodyOf, type Journal, type Outcome } from './journal.ts';
import { chunked } from './manners.ts';

export interface ClientPorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly journal: Journal;
  /** A nonce that was not used yet. */
  readonly nonce: () => number;
  readonly onAsked: (asked: Asked) => void;
  readonly connect: () => FarEnd | undefined;
  readonly onFault: (what: string) => void;
}

/** What a client does. */
export interface ClientManner {
  readonly requests: number;
  /** It asks the next one before it has its reply. */
  readonly pipelines: boolean;
  /** It leaves so long after its first request, by a reset or by the end of its side. */
  readonly leavesInMs: number | undefined;
  readonly resets: boolean;
  /** It reads nothing for so long, once, when the first bytes of a reply have come. */
  readonly stallsMs: number;
  readonly httpMinor: 0 | 1;
  /** It only asks with GET, and each request at once. */
  readonly isSafe: boolean;
}

const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'DELETE', 'PUT', 'PUT', 'POST', 'POST', 'POST'];

export function drawClient(random: Random): ClientManner {
  const pipelines = random.chance(0.06);
  return {
    requests: pipelines ? 2 + random.below(5) : 1 + random.below(5),
    pipelines,
    leavesInMs: random.chance(0.06) ? random.below(1200) : undefined,
    resets: random.chance(0.5),
    stallsMs: random.chance(0.05) ? random.below(4000) : 0,
    httpMinor: random.chance(0.05) ? 0 : 1,
    isSafe: pipelines,
  };
}

export class Client implements FarPlayer {
  readonly #ports: ClientPorts;
  readonly #manner: ClientManner;
  readonly #far: FarEnd | undefined;
  // In the order in which they were sent.
  readonly #waiting: Asked[] = [];
  #left: number;
  #text = '';
  #hasStalled = false;
  #isStalling = false;
  #isOver = false;
  #wasClosed = false;
  #echoes: Echoes | undefined;

  constructor(ports: ClientPorts, manner: ClientManner) {
    this.#ports = ports;
    this.#manner = manner;
    this.#left = manner.requests;
    this.#far = ports.connect();
    if (this.#far === undefined) return;
    this.#far.player = this;
    const count = manner.pipelines ? manner.requests : 1;
    for (let sent = 0; sent < count; sent++) this.#ask();
    if (manner.leavesInMs !== undefined) ports.clock.after(manner.leavesInMs, () => this.#leave());
  }

  onBytes(bytes: Buffer): void {
    // A connection too many is refused before its request is known, so a HEAD gets a body there.
    if (this.#wasClosed) return;
    if (this.#echoes !== undefined) {
      this.#echoes.onBytes(bytes.toString('latin1'));
      return;
    }
    this.#text += bytes.toString('latin1');
    const { stallsMs } = this.#manner;
    if (stallsMs > 0 && !this.#hasStalled) {
      this.#hasStalled = true;
      for (const asked of this.#waiting) asked.isDoubtful = true;
      this.#isStalling = true;
      this.#far?.pause();
      this.#ports.clock.after(stallsMs, () => {
        this.#isStalling = false;
        this.#far?.resume();
      });
    }
    while (this.#readOne(false)) {}
  }

  onEnd(): void {
    if (this.#echoes === undefined) {
      this.#readOne(true);
      this.#end();
    }
    this.#far?.close();
  }

  onReset(): void {
    this.#end();
  }

  #ask(): void {
    const { clock, random, journal, nonce, onAsked } = this.#ports;
    const { isSafe, httpMinor } = this.#manner;
    const method = isSafe ? 'GET' : (METHODS[random.below(METHODS.length)] as string);
    const hasBody = method === 'PUT' || method === 'POST';
    const size = !hasBody ? 0 : random.chance(0.15) ? 1000 + random.below(4000) : random.below(300);
    const asked = journal.ask(nonce(), method, size, clock.now());
    this.#left -= 1;
    onAsked(asked);
    if (this.#waiting.length === 0) asked.turnMs = clock.now();
    this.#waiting.push(asked);
    if (this.#manner.leavesInMs !== undefined || this.#isStalling) asked.isDoubtful = true;
    const isChunked = hasBody && httpMinor === 1 && random.chance(0.4);
    const framing = !hasBody ? '' : isChunked ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${size}\r\n`;
    const expects = hasBody && size > 0 && httpMinor === 1 && random.chance(0.1);
    const isLast = this.#left <= 0;
    asked.offers = isLast && method === 'GET' && httpMinor === 1 && !isSafe && random.chance(0.15);
    const closes = isLast && random.chance(0.3) ? 'Connection: close\r\n' : '';
    const persistence = asked.offers ? 'Connection: upgrade\r\nUpgrade: echo\r\n' : closes;
    const head =
      `${method} /n/${asked.nonce} HTTP/1.${httpMinor}\r\nHost: a\r\nX-Key: k${random.below(20)}\r\n` +
      `${framing}${expects ? 'Expect: 100-continue\r\n' : ''}${persistence}\r\n`;
    const body = bodyOf(String(asked.nonce), size);
    this.#send(asked, head, isChunked ? chunked(body) : body);
  }

  // At once, or in pieces with pauses between them.
  #send(asked: Asked, head: string, body: string): void {
    const { clock, random } = this.#ports;
    const isCut = random.chance(0.1);
    if (!isCut || this.#manner.isSafe) {
      asked.wholeMs = clock.now();
      this.#far?.write(head + body);
      return;
    }
    const whole = head + body;
    const first = 1 + random.below(whole.length - 1);
    this.#far?.write(whole.slice(0, first));
    clock.after(random.below(700), () => {
      asked.wholeMs = clock.now();
      this.#far?.write(whole.slice(first));
    });
  }

  // Reads a reply. False if there is none yet.
  #readOne(hasEnded: boolean): boolean {
    const [asked] = this.#waiting;
    if (asked === undefined) {
      if (this.#text !== '') this.#ports.onFault(`bytes came that nobody asked for: ${this.#text.slice(0, 60)}`);
      return false;
    }
    try {
      const reply = readReply(this.#text, asked.method, hasEnded);
      if (reply === undefined || !reply.complete) return false;
      this.#text = reply.rest;
      const status = statusOf(reply);
      if (status === 101) {
        this.#over(asked, outcomeOf(status, fieldsOf(reply, 'x-attempt')[0], ''));
        this.#echoes = new Echoes(this.#ports, this.#far as FarEnd, reply.rest);
        this.#isOver = true;
        return false;
      }
      if (status < 200) return true;
      this.#over(asked, outcomeOf(status, fieldsOf(reply, 'x-attempt')[0], reply.body));
      const closes = fieldsOf(reply, 'connection').some((value) => value.toLowerCase() === 'close');
      const stays = this.#manner.httpMinor === 1 && !closes && !hasEnded;
      this.#wasClosed = !stays;
      if (!stays) {
        this.#text = '';
        this.#end('unasked');
      } else if (this.#waiting.length === 0 && this.#left > 0) this.#askLater();
      else if (this.#waiting.length === 0) this.#finish();
      return stays;
    } catch (error) {
      this.#ports.onFault(`the reply to ${asked.nonce} is no HTTP: ${(error as Error).message}`);
      return false;
    }
  }

  #askLater(): void {
    const { clock, random } = this.#ports;
    clock.after(random.below(300), () => {
      if (!this.#isOver && this.#far?.isOpen === true) this.#ask();
    });
  }

  #over(asked: Asked, outcome: Outcome): void {
    const { clock } = this.#ports;
    this.#waiting.shift();
    asked.outcome = outcome;
    asked.endedMs = clock.now();
    const [next] = this.#waiting;
    if (next !== undefined) next.turnMs = clock.now();
  }

  // It has all replies, and closes its connection at once or after a while.
  #finish(): void {
    const { clock, random } = this.#ports;
    this.#isOver = true;
    clock.after(random.below(500), () => this.#far?.close());
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#manner.resets) this.#far?.reset();
    else this.#far?.end();
    if (this.#manner.resets) for (const asked of [...this.#waiting]) this.#over(asked, { type: 'left' });
  }

  // The connection is gone.
  #end(rest: 'unasked' | 'broken' = 'broken'): void {
    const hasLeft = this.#isOver && this.#manner.leavesInMs !== undefined;
    this.#isOver = true;
    for (const [index, asked] of [...this.#waiting].entries()) {
      const isUnasked = rest === 'unasked' || (index > 0 && this.#text === '');
      if (hasLeft) this.#over(asked, { type: 'left' });
      else if (isUnasked) this.#over(asked, { type: 'unasked' });
      else this.#over(asked, { type: 'broken', got: this.#text.slice(0, 200) });
    }
    if (rest === 'unasked') this.#ports.clock.after(this.#ports.random.below(300), () => this.#far?.close());
  }
}

function outcomeOf(status: number, attempt: string | undefined, body: string): Outcome {
  if (attempt === undefined) return { type: 'error', status };
  return { type: 'reply', status, attempt: Number(attempt), body };
}
