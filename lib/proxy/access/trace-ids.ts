// Makes the traceparents of requests that begin a trace here. Random bytes are drawn for many at a time: to ask for a
// few costs as much as to ask for all of them.

import { randomFillSync } from 'node:crypto';

const TRACE_BYTES = 16;
const PARENT_BYTES = 8;
const AT_A_TIME = 128;

export class TraceIds {
  readonly #bytes = Buffer.alloc(AT_A_TIME * (TRACE_BYTES + PARENT_BYTES));
  #at = this.#bytes.length;

  /**
   * A new traceparent. It says that the trace is sampled: the samplers of most tracers follow that flag, so without it
   * replicas would record nothing. That an id is all zeros, which is not valid, happens once in 2^64 times.
   */
  next(): string {
    if (this.#at === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#at = 0;
    }
    const from = this.#at;
    const middle = from + TRACE_BYTES;
    this.#at = middle + PARENT_BYTES;
    return `00-${this.#bytes.toString('hex', from, middle)}-${this.#bytes.toString('hex', middle, this.#at)}-01`;
  }
}
