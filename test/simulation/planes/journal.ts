// What clients sent and got, and what became of it at replicas, as they themselves know it. A request has a nonce,
// which its target says, and each attempt at it a number; a reply names both and is made of them.

/** What a client got for a request. */
export type Outcome =
  /** A whole reply of a replica. */
  | { readonly type: 'reply'; readonly status: number; readonly attempt: number; readonly body: string }
  /** A whole reply of the balancer's own. */
  | { readonly type: 'error'; readonly status: number }
  /** The connection ended before there was a whole reply. */
  | { readonly type: 'broken'; readonly got: string }
  /** The client did not wait for it. */
  | { readonly type: 'left' }
  /** It was never sent, or never had its turn, since the connection ended with the reply to one before it. */
  | { readonly type: 'unasked' };

/** A request, as its client knows it. */
export interface Asked {
  readonly nonce: number;
  readonly method: string;
  readonly bodyBytes: number;
  /** When its client began to send it. */
  readonly sentMs: number;
  /** When all of it was sent. */
  wholeMs: number | undefined;
  /** When no other request was under way on its connection. */
  turnMs: number | undefined;
  /** Its client did something that a reply may be lost for: it left, or it read too slowly. */
  isDoubtful: boolean;
  /** It offers to switch protocols. */
  offers: boolean;
  outcome: Outcome | undefined;
  endedMs: number | undefined;
  readonly attempts: Attempt[];
  /** What the balancer has written about it, if it has failed. */
  failure: { readonly code: string; readonly reason: string } | undefined;
}

/** One try of a request at a replica. */
export interface Attempt {
  readonly number: number;
  readonly nonce: number;
  readonly incarnation: number;
  readonly seat: number;
  readonly thread: number;
  readonly connection: number;
  readonly atMs: number;
  /** The connection had carried a request before. */
  readonly isReused: boolean;
  /** The connection had been made. */
  isConnected: boolean;
  /** Bytes of it came there. */
  isHeard: boolean;
  /** All of it came there, and was done. */
  isExecuted: boolean;
  /** Its connection is gone. */
  isGone: boolean;
  /** A byte was written in answer. */
  hasSpoken: boolean;
  /** The head of the final reply was written. */
  hasReplied: boolean;
  /** All of the reply was written, in the order of things. */
  isWhole: boolean;
  bodyBytes: number;
  /** What the replica does with it. */
  how: string;
}

export class Journal {
  readonly asked = new Map<number, Asked>();
  /** When attempts were made that were not the first of their requests. */
  readonly repeatsMs: number[] = [];
  /** When attempts were repeated that add to an overload, and so are counted. */
  readonly countedMs: number[] = [];
  /** When clients began to send requests. */
  readonly requestsMs: number[] = [];
  /** When requests failed that a replica had had. */
  readonly failuresMs: number[] = [];
  readonly attempts: Attempt[] = [];
  /** By connection: the last attempt on it. */
  readonly #onConnection = new Map<number, Attempt>();

  ask(nonce: number, method: string, bodyBytes: number, sentMs: number): Asked {
    const asked: Asked = {
      ...{ nonce, method, bodyBytes, sentMs, wholeMs: undefined, turnMs: undefined, isDoubtful: false, offers: false },
      ...{ outcome: undefined, endedMs: undefined, attempts: [], failure: undefined },
    };
    this.asked.set(nonce, asked);
    this.requestsMs.push(sentMs);
    return asked;
  }

  /** A thread begins to write a request to a replica. */
  attempt(begun: Pick<Attempt, 'nonce' | 'incarnation' | 'seat' | 'thread' | 'connection' | 'atMs'>): Attempt {
    const attempt: Attempt = {
      ...begun,
      number: this.attempts.length,
      isReused: this.#onConnection.has(begun.connection),
      ...{
        isConnected: false,
        isHeard: false,
        isExecuted: false,
        isGone: false,
        hasSpoken: false,
        hasReplied: false,
        isWhole: false,
      },
      ...{ bodyBytes: 0, how: 'nothing' },
    };
    attempt.isConnected = attempt.isReused;
    this.attempts.push(attempt);
    this.#onConnection.set(begun.connection, attempt);
    const { attempts } = this.asked.get(begun.nonce) as Asked;
    if (attempts.length > 0) this.repeatsMs.push(begun.atMs);
    attempts.push(attempt);
    return attempt;
  }

  /** The attempt that is under way on that connection. */
  on(connection: number): Attempt | undefined {
    return this.#onConnection.get(connection);
  }
}

/** How many of those times are less than so long ago. */
export function countSince(timesMs: readonly number[], sinceMs: number): number {
  let count = 0;
  // The last ones are the latest.
  while (count < timesMs.length && (timesMs[timesMs.length - 1 - count] as number) > sinceMs) count += 1;
  return count;
}

const NONCE = /^[A-Z]+ \/n\/(\d+)/;

/** The nonce of the request whose head begins that text. */
export function nonceIn(text: string): number | undefined {
  const found = NONCE.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The body of a reply, or of a request: so long a text made of those numbers. */
export function bodyOf(numbers: string, sizeBytes: number): string {
  return `${numbers};`.repeat(Math.ceil(sizeBytes / (numbers.length + 1))).slice(0, sizeBytes);
}
