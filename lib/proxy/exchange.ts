// One request and its reply: seat, attempt, perhaps another attempt, relay. The reply is written straight to the client's
// socket: `ServerResponse` would build and check each head once more, which costs a third of the CPU of a request
// (lib/README.md says how that was measured).

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Explanation } from '../core/explain.ts';
import type { Key } from '../core/policy.ts';
import { mayRetry } from '../core/retry.ts';
import type { SeatId } from '../core/ring.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import { type Client, errorReply } from './client.ts';
import { explainFields } from './explain-fields.ts';
import { type RequestHead, replyHead, trailerSection } from './headers.ts';
import type { Sample } from './meter.ts';
import type { Leaseholder, ReplicaAgent, ReplicaConnection } from './replica-agent.ts';
import type { ReplyHead } from './reply-head.ts';
import { RequestBody } from './request-body.ts';

/** What an exchange needs of the proxy around it. */
export interface ExchangeContext {
  readonly maxAttempts: number;
  readonly maxKeptBytes: number;
  /** The agent of the best seat for that key that takes requests and is not in `tried`. */
  pick(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined;
  /** Why a request with that key goes where it goes; `undefined` where that is nobody's business. */
  explain(key: Key): Explanation | undefined;
  hostnameOf(seat: SeatId): string | undefined;
  /** A request failed there. */
  suspect(agent: ReplicaAgent): void;
  /** The value of a Date field for now. */
  date(): string;
  /** Connections are to end with the reply they carry. */
  readonly closing: boolean;
  /** The exchange is over; `error` if the client got no whole reply of a replica. */
  onOver(exchange: Exchange, error: BalancerError | undefined): void;
}

// A small piece of a body goes out in one write with its head; a larger one is not worth the copy.
const MERGE_BYTES = 16_384;

export class Exchange implements Leaseholder {
  readonly request: IncomingMessage;
  readonly requestId: number;
  readonly key: Key;
  /** If it is timed. */
  readonly sample: Sample | undefined;
  /** Status of the reply, 0 before there is one. */
  status = 0;
  readonly #context: ExchangeContext;
  readonly #client: Client;
  readonly #response: ServerResponse;
  readonly #head: RequestHead;
  #body: RequestBody | undefined;
  #connection: ReplicaConnection | undefined;
  readonly #tried: SeatId[] = [];
  // Text that waits to be written with what follows it in the same read.
  #pending = '';
  #replyBegun = false;
  #replyFraming: 'none' | 'length' | 'chunked' | 'close' = 'none';
  #keepAlive = true;
  #explanation: Explanation | undefined;
  #over = false;

  constructor(
    context: ExchangeContext,
    client: Client,
    response: ServerResponse,
    asked: {
      readonly head: RequestHead;
      readonly key: Key;
      readonly requestId: number;
      readonly sample: Sample | undefined;
    },
  ) {
    this.#context = context;
    this.#client = client;
    this.#response = response;
    this.request = response.req;
    this.requestId = asked.requestId;
    this.#head = asked.head;
    this.key = asked.key;
    this.sample = asked.sample;
  }

  /** Of the replica that was tried last. */
  get agent(): ReplicaAgent | undefined {
    return this.#connection?.agent;
  }

  get hostname(): string | undefined {
    return this.agent?.replica.hostname;
  }

  start(): void {
    const { body, expectsContinue } = this.#head;
    if (body === 'none') {
      this.#attempt(false);
      return;
    }
    this.#body = new RequestBody(this.request, body === 'chunked', this.#context.maxKeptBytes);
    // A body is announced with bytes of it in hand: a client that only promises one holds no replica. One that waits for a
    // 100 has to have it from the replica.
    if (expectsContinue) this.#attempt(false);
    else this.#body.onceBegun(() => this.#over || this.#attempt(false));
  }

  /** The client's socket takes bytes again. */
  onClientDrain(): void {
    this.#connection?.resume();
  }

  /** The client has gone. */
  onClientGone(): void {
    if (this.#over) return;
    this.#connection?.abandon();
    this.#end(new BalancerError('bad-request', 'the client closed the connection before it had the reply'));
  }

  /** Answers with an error if nothing of a reply has gone out yet, else cuts the connection: a cut is no complete answer. */
  fail(error: BalancerError, closeClient: boolean): void {
    if (this.#over) return;
    this.#connection?.abandon();
    if (this.#replyBegun) {
      // A reset, since without other framing an ordinary end would look like a whole reply.
      this.#client.socket.resetAndDestroy();
      this.#end(error);
      return;
    }
    this.status = error.status;
    const keepAlive = !closeClient && this.#mayKeepAlive();
    this.#client.socket.write(errorReply(error, keepAlive, this.request.method !== 'HEAD'), 'latin1');
    this.#end(error);
    this.#client.finish(this.#response, keepAlive);
  }

  onInformation(head: ReplyHead): void {
    // An HTTP/1.0 client knows no interim replies (RFC 9110, 15.2).
    if (this.request.httpVersionMinor === 0) return;
    this.#client.socket.write(replyHead(head, { clientMinor: 1, keepAlive: true, body: 'none', date: '' }), 'latin1');
  }

  onHead(head: ReplyHead): void {
    const clientMinor = this.request.httpVersionMinor;
    this.status = head.status;
    if (this.sample !== undefined) this.sample.answeredMs = performance.now();
    this.#replyFraming = head.framing;
    if (head.framing === 'chunked' || head.framing === 'close') {
      this.#replyFraming = clientMinor === 0 ? 'close' : 'chunked';
    }
    this.#keepAlive = this.#replyFraming !== 'close' && this.#mayKeepAlive();
    this.#replyBegun = true;
    this.#pending = replyHead(head, {
      clientMinor,
      keepAlive: this.#keepAlive,
      body: this.#replyFraming,
      date: this.#context.date(),
      ...(this.#explanation === undefined ? {} : { added: this.#explain(this.#explanation) }),
    });
  }

  onBody(bytes: Buffer): void {
    const { socket } = this.#client;
    const chunked = this.#replyFraming === 'chunked';
    if (chunked) this.#pending += `${bytes.length.toString(16)}\r\n`;
    if (this.#pending.length + bytes.length <= MERGE_BYTES) {
      this.#pending += bytes.toString('latin1');
    } else {
      socket.cork();
      this.#flush();
      // A copy: the bytes are only lent, and the client may be slow.
      socket.write(Buffer.from(bytes));
      socket.uncork();
    }
    if (chunked) this.#pending += '\r\n';
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#replyFraming === 'chunked') this.#pending += `0\r\n${trailerSection(trailers)}\r\n`;
    this.#flush();
    // An answer before the whole request was sent: the rest would be taken for the next request there.
    if (this.#sentAll()) this.#connection?.finish();
    else this.#connection?.abandon();
    this.#end(undefined);
    this.#client.finish(this.#response, this.#keepAlive);
  }

  onPause(): void {
    this.#flush();
    if (this.#client.socket.writableNeedDrain) this.#connection?.pause();
  }

  onDrain(): void {
    this.#body?.resume();
  }

  onLost(error: BalancerError): void {
    const connection = this.#connection as ReplicaConnection;
    this.#body?.stop();
    // A kept connection may close at any time, which says nothing of the replica: ask it once more on a new one.
    const stale = connection.reused && !connection.replyBegun;
    if (!stale) {
      this.#tried.push(connection.agent.replica.seat);
      if (error.code !== 'bad-reply') this.#context.suspect(connection.agent);
    }
    const attempt = {
      method: this.request.method ?? '',
      unsent: !connection.connected,
      bodyInHand: this.#body?.inHand ?? true,
      replyBegun: connection.replyBegun,
      replicasTried: this.#tried.length,
    };
    if (mayRetry(attempt, this.#context.maxAttempts)) this.#attempt(stale, error);
    else this.fail(error, false);
  }

  #attempt(fresh: boolean, earlier?: BalancerError): void {
    let agent: ReplicaAgent | undefined;
    try {
      if (this.#head.asksWhy) this.#explanation ??= this.#context.explain(this.key);
      agent = this.#context.pick(this.key, this.#tried);
    } catch (error) {
      // A hash of somebody's own.
      this.fail(asBalancerError(error), false);
      return;
    }
    if (agent === undefined) {
      this.fail(earlier ?? new BalancerError('no-replica', 'no replica can take the request now'), false);
      return;
    }
    const connection = agent.lease(fresh);
    this.#connection = connection;
    connection.begin(this, this.request.method ?? '');
    if (this.#body === undefined) {
      connection.write(this.#head.text);
      return;
    }
    connection.cork();
    connection.write(this.#head.text);
    this.#body.sendTo(connection);
    connection.uncork();
  }

  #explain(explanation: Explanation): string {
    return explainFields(explanation, this.requestId, this.hostname ?? '', (seat) => this.#context.hostnameOf(seat));
  }

  #sentAll(): boolean {
    return this.#body === undefined || this.#body.ended;
  }

  // A client that is still sending when it has its answer may not stop: what it sends must not become its next request.
  #mayKeepAlive(): boolean {
    const asked = this.#head.body === 'none' || this.#body?.ended === true;
    return this.#response.shouldKeepAlive && asked && !this.#context.closing;
  }

  #flush(): void {
    if (this.#pending === '') return;
    this.#client.socket.write(this.#pending, 'latin1');
    this.#pending = '';
  }

  #end(error: BalancerError | undefined): void {
    this.#over = true;
    this.#body?.discard();
    this.#context.onOver(this, error);
  }
}
