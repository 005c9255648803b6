// A stream of bytes to another thread over a message port. One piece is on its way at a time, and the next is sent when
// the reader has room, so that what waits is bounded as it is with a socket. `http.Server` and `http.request` take it
// for a connection.

import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import type { ErrorData } from './messages.ts';

type Passed =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  /** The last piece has been read. */
  | { readonly type: 'taken' }
  /** No bytes come after this. */
  | { readonly type: 'end' }
  /** What the other end says beside the bytes. */
  | { readonly type: 'fault'; readonly error: ErrorData };

type Done = (error?: Error | null) => void;

export class PortStream extends Duplex {
  /** Of the client whose request it carries, as a socket has it. */
  readonly remoteAddress: string | undefined;
  readonly #port: MessagePort;
  #taken: Done | undefined;
  // A piece was read that the other end has not been told of.
  #owes = false;
  #hasEnd = false;
  #fault: ErrorData | undefined;
  #onFault: ((error: ErrorData) => void) | undefined;

  constructor(port: MessagePort, remoteAddress: string | undefined = undefined) {
    super();
    this.#port = port;
    this.remoteAddress = remoteAddress;
    port.on('message', (passed: Passed) => this.#hear(passed));
    // Also when the other thread has ended.
    port.on('close', () => this.#onClose());
  }

  /** Tells the other end why the request does not go on. */
  fault(error: ErrorData): void {
    this.#post({ type: 'fault', error });
  }

  /** Calls back when the other end says why the request does not go on. */
  hearFault(listener: (error: ErrorData) => void): void {
    this.#onFault = listener;
    if (this.#fault !== undefined) listener(this.#fault);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // A copy of its own: a part of a pool would be passed with the whole pool.
    const bytes = new Uint8Array(chunk);
    this.#taken = done;
    this.#port.postMessage({ type: 'bytes', bytes } satisfies Passed, [bytes.buffer]);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'latin1', done);
  }

  override _final(done: Done): void {
    this.#post({ type: 'end' });
    done();
  }

  override _read(): void {
    if (!this.#owes) return;
    this.#owes = false;
    this.#post({ type: 'taken' });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#port.close();
    done(error);
  }

  #post(passed: Passed): void {
    this.#port.postMessage(passed);
  }

  // What has come is still read if it is whole.
  #onClose(): void {
    if (this.#hasEnd && !this.readableEnded) this.once('end', () => this.destroy());
    else this.destroy();
  }

  #hear(passed: Passed): void {
    switch (passed.type) {
      case 'bytes':
        this.#owes = true;
        if (this.push(Buffer.from(passed.bytes.buffer))) this._read();
        return;
      case 'taken': {
        const taken = this.#taken;
        this.#taken = undefined;
        taken?.();
        return;
      }
      case 'end':
        this.#hasEnd = true;
        this.push(null);
        return;
      case 'fault':
        this.#fault = passed.error;
        this.#onFault?.(passed.error);
    }
  }
}
