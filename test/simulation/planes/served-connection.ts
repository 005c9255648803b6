// One connection as a replica has it: requests come one after the other, and each gets its reply, or one of the faults.

import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import type { Life } from '../machine.ts';
import type { FarEnd, FarPlayer } from '../network/far-end.ts';
import { type Attempt, bodyOf, type Journal, nonceIn } from './journal.ts';
import { drawManner, type Manner, piecesOf } from './manners.ts';

export interface ServicePorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly journal: Journal;
  /** `undefined` for one that is not there. */
  readonly lifeOf: (incarnation: number) => Life | undefined;
  /** Called with what must never happen. */
  readonly onFault: (what: string) => void;
}

/** What a connection needs of the service that it belongs to. */
export interface Serving {
  readonly ports: ServicePorts;
  readonly isFaulty: boolean;
  /** Calls when the replica is up. */
  whenUp(incarnation: number, call: () => void): void;
  forget(connection: ServedConnection): void;
}

export class ServedConnection implements FarPlayer {
  readonly far: FarEnd;
  readonly incarnation: number;
  readonly #service: Serving;
  readonly #number: number;
  #text = '';
  // The request under way, once its head is here.
  #attempt: Attempt | undefined;
  #manner: Manner | undefined;
  #head = '';
  #isRead = false;
  #isTunnel = false;
  // Of the reply under way.
  #said = '';

  constructor(service: Serving, far: FarEnd, incarnation: number, number: number) {
    this.#service = service;
    this.far = far;
    this.incarnation = incarnation;
    this.#number = number;
  }

  onBytes(bytes: Buffer): void {
    const { onFault } = this.#service.ports;
    if (this.#isTunnel) {
      this.far.write(bytes.toString('latin1'));
      return;
    }
    if (this.#attempt?.isExecuted === true) {
      onFault(`something is sent on connection ${this.#number} behind a request that has no reply yet`);
    }
    this.#text += bytes.toString('latin1');
    this.#read();
  }

  onEnd(): void {
    this.#leave();
    this.far.close();
  }

  onReset(): void {
    this.#leave();
  }

  /**
   * The replica ends, and so does its end of the connection. What has no other framing than that end would look whole,
   * whoever reads it, so it is reset.
   */
  die(resets: boolean): void {
    this.#goneFrom();
    const isHalf = this.#attempt !== undefined && this.#manner?.framing === 'close';
    if (resets || isHalf) this.far.reset();
    else this.far.close();
  }

  #leave(): void {
    this.#service.forget(this);
    this.#goneFrom();
  }

  #goneFrom(): void {
    const attempt = this.#service.ports.journal.on(this.#number);
    if (attempt !== undefined) attempt.isGone = true;
  }

  #read(): void {
    if (this.#attempt === undefined) this.#readHead();
    const { offeredBytes, isWhole } = this.#readBody();
    const attempt = this.#attempt;
    if (attempt === undefined || this.#isRead) return;
    const { random } = this.#service.ports;
    const manner = this.#manner as Manner;
    if (manner.type === 'early' && offeredBytes) {
      this.#isRead = true;
      this.#later(1 + random.below(20), () => this.#reply());
    } else if (isWhole) {
      this.#isRead = true;
      attempt.isExecuted = true;
      this.#later(manner.delayMs, () => this.#reply());
    }
  }

  #readHead(): void {
    const { journal, random, onFault } = this.#service.ports;
    const end = this.#text.indexOf('\r\n\r\n');
    const attempt = journal.on(this.#number);
    if (attempt === undefined) return;
    attempt.isHeard = true;
    if (end === -1) return;
    const nonce = nonceIn(this.#text);
    if (nonce !== attempt.nonce) onFault(`the request of ${attempt.nonce} has come as ${nonce}`);
    this.#attempt = attempt;
    this.#head = this.#text.slice(0, end + 2);
    this.#text = this.#text.slice(end + 4);
    this.#manner = drawManner(random, this.#service.isFaulty, this.#method);
    const switches = this.#manner.type === 'well' && /^upgrade: echo/im.test(this.#head);
    attempt.how = switches ? 'tunnel' : this.#manner.type;
    if (/^expect:/im.test(this.#head) && this.#manner.type !== 'early') {
      this.#later(1 + random.below(10), () => {
        if (this.#isRead) return;
        attempt.hasSpoken = true;
        this.far.write('HTTP/1.1 100 Continue\r\n\r\n');
      });
    }
  }

  get #method(): string {
    return this.#head.slice(0, this.#head.indexOf(' '));
  }

  // Whether there is a body to come, and whether all of the request is here.
  #readBody(): { readonly offeredBytes: boolean; readonly isWhole: boolean } {
    const attempt = this.#attempt;
    if (attempt === undefined) return { offeredBytes: false, isWhole: false };
    const length = Number(/^content-length: (\d+)/im.exec(this.#head)?.[1] ?? 0);
    const isChunked = /^transfer-encoding: chunked/im.test(this.#head);
    if (isChunked) {
      if (!this.#text.endsWith('\r\n0\r\n\r\n') && this.#text !== '0\r\n\r\n')
        return { offeredBytes: true, isWhole: false };
      this.#checkBody(unchunked(this.#text), attempt);
    } else {
      if (this.#text.length < length) return { offeredBytes: true, isWhole: false };
      if (!this.#isRead && length > 0) this.#checkBody(this.#text, attempt);
    }
    return { offeredBytes: isChunked || length > 0, isWhole: true };
  }

  #checkBody(body: string, { nonce }: Attempt): void {
    const { journal, onFault } = this.#service.ports;
    const sent = journal.asked.get(nonce)?.bodyBytes ?? 0;
    if (body !== bodyOf(String(nonce), sent)) onFault(`the body of ${nonce} has not come as it was sent`);
  }

  #later(ms: number, call: () => void): void {
    const { clock } = this.#service.ports;
    clock.after(ms, () =>
      this.#service.whenUp(this.incarnation, () => {
        if (this.far.isOpen) call();
      }),
    );
  }

  #reply(): void {
    const attempt = this.#attempt as Attempt;
    const manner = this.#manner as Manner;
    attempt.bodyBytes = this.#method === 'HEAD' ? 0 : manner.bodyBytes;
    if (attempt.how === 'tunnel') {
      this.#switch(attempt);
      return;
    }
    const pieces = piecesOf(manner, attempt, this.#method);
    this.#send(pieces, 0);
  }

  // Gives back what comes, and ends by itself after a while.
  #switch(attempt: Attempt): void {
    const { random } = this.#service.ports;
    attempt.hasSpoken = true;
    attempt.hasReplied = true;
    attempt.isWhole = true;
    this.#isTunnel = true;
    const fields = `Connection: Upgrade\r\nUpgrade: echo\r\nX-Attempt: ${attempt.number}\r\n`;
    this.far.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
    this.#later(random.below(5000), () => {
      this.#leave();
      this.far.close();
    });
  }

  #send(pieces: readonly string[], at: number): void {
    const attempt = this.#attempt as Attempt;
    const manner = this.#manner as Manner;
    const piece = pieces[at];
    if (piece !== undefined) {
      this.#said += piece;
      attempt.hasSpoken ||= piece !== '';
      attempt.hasReplied ||= hasHead(this.#said);
      this.far.write(piece);
      if (at + 1 < pieces.length) this.#later(manner.pauseMs, () => this.#send(pieces, at + 1));
      else this.#send(pieces, at + 1);
      return;
    }
    switch (manner.ending) {
      case 'goes-on':
        attempt.isWhole = true;
        this.#goOn(manner);
        return;
      case 'close':
        attempt.isWhole = manner.isWhole;
        this.#leave();
        this.far.close();
        return;
      case 'reset':
        this.#leave();
        this.far.reset();
        return;
      case 'silence':
        return;
    }
  }

  #goOn({ closesInMs }: Manner): void {
    this.#attempt = undefined;
    this.#said = '';
    this.#text = '';
    this.#isRead = false;
    if (closesInMs === undefined) return;
    this.#later(closesInMs, () => {
      // Requests that come at this moment are lost without having been seen.
      if (this.#attempt !== undefined || this.#text !== '') return;
      this.#leave();
      this.far.close();
    });
  }
}

// Whether the head of the final reply is in it. Interim replies do not name the attempt.
function hasHead(text: string): boolean {
  const at = text.indexOf('X-Attempt');
  return at !== -1 && text.indexOf('\r\n\r\n', at) !== -1;
}

function unchunked(text: string): string {
  let body = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (!(size > 0)) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
