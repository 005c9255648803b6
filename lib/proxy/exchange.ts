// One request and its reply: key, seat, attempt, perhaps another attempt, relay. The reply is written straight to the client's
// socket: `ServerResponse` would build and check each head once more, which costs a quarter of the CPU of a request
// (lib/README.md has the figures). `http.Server` is told that a response is over by its `finish` event, as it expects.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Key } from '../core/policy.ts';
import { mayRetry } from '../core/retry.ts';
import type { SeatId } from '../core/ring.ts';
import { asBalancerError, BalancerError, failureBody } from '../errors.ts';
import { type ParsedRequest, type RequestHead, replyHead, requestHead, trailerSection } from './headers.ts';
import type { Leaseholder, ReplicaAgent, ReplicaConnection } from './replica-agent.ts';
import type { ReplyHead } from './reply-head.ts';
import { RequestBody } from './request-body.ts';

/** What an exchange needs of the proxy around it. */
export interface ExchangeContext {
  readonly maxAttempts: number;
  readonly maxKeptBytes: number;
  /** The agent of the best seat for that key that takes requests and is not in `tried`. */
  pick(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined;
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
  /** Status of the reply, 0 before there is one. */
  status = 0;
  readonly #context: ExchangeContext;
  readonly #response: ServerResponse;
  readonly #client: Socket;
  #key: Key = 0;
  #head: RequestHead | undefined;
  #body: RequestBody | undefined;
  #connection: ReplicaConnection | undefined;
  readonly #tried: SeatId[] = [];
  #attempts = 0;
  // Text that waits to be written with what follows it in the same read.
  #pending = '';
  #replyBegun = false;
  #replyFraming: 'none' | 'length' | 'chunked' | 'close' = 'none';
  #keepAlive = true;
  #over = false;

  constructor(context: ExchangeContext, request: IncomingMessage, response: ServerResponse, requestId: number) {
    this.#context = context;
    this.request = request;
    this.requestId = requestId;
    this.#response = response;
    this.#client = request.socket;
  }

  get replica(): string | undefined {
    return this.#connection?.agent.replica.hostname;
  }

  /** `readKey` is asked only for a request that may be passed on. */
  start(clientAddress: string, readKey: (request: ParsedRequest) => Key): void {
    const { request } = this;
    try {
      this.#head = requestHead(request as ParsedRequest, { address: clientAddress });
      this.#key = readKey(request as ParsedRequest);
    } catch (error) {
      this.fail(asBalancerError(error), true);
      return;
    }
    if (this.#head.body === 'none') {
      this.#attempt(false);
      return;
    }
    this.#body = new RequestBody(request, this.#head.body === 'chunked', this.#context.maxKeptBytes);
    // A body is announced with bytes of it in hand: a client that only promises one holds no replica. One that waits for a
    // 100 has to have it from the replica.
    if (this.#head.expectsContinue) this.#attempt(false);
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
      this.#client.resetAndDestroy();
    } else {
      this.status = error.status;
      const body = failureBody(error.message);
      const fields: Record<string, string | number> = {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
      };
      if (error.status === 503) fields['Retry-After'] = 1;
      if (closeClient || !this.request.complete) fields.Connection = 'close';
      this.#response.writeHead(error.status, fields);
      this.#response.end(body);
    }
    this.#end(error);
  }

  onInformation(head: ReplyHead): void {
    if (head.status === 101) {
      this.fail(new BalancerError('bad-reply', 'the replica switched protocols unasked'), false);
      return;
    }
    // An HTTP/1.0 client knows no interim replies (RFC 9110, 15.2).
    if (this.request.httpVersionMinor === 0) return;
    this.#client.write(replyHead(head, { clientMinor: 1, keepAlive: true, body: 'none', date: '' }), 'latin1');
  }

  onHead(head: ReplyHead): void {
    const { request } = this;
    const clientMinor = request.httpVersionMinor;
    this.status = head.status;
    this.#replyFraming = head.framing;
    if (head.framing === 'chunked' || head.framing === 'close') {
      this.#replyFraming = clientMinor === 0 ? 'close' : 'chunked';
    }
    // A client that is still sending when it has its answer may not stop: what it sends must not become its next request.
    const sentAll = this.#body === undefined || this.#body.ended;
    this.#keepAlive =
      this.#response.shouldKeepAlive && this.#replyFraming !== 'close' && sentAll && !this.#context.closing;
    this.#replyBegun = true;
    this.#pending = replyHead(head, {
      clientMinor,
      keepAlive: this.#keepAlive,
      body: this.#replyFraming,
      date: this.#context.date(),
    });
  }

  onBody(bytes: Buffer): void {
    const chunked = this.#replyFraming === 'chunked';
    if (chunked) this.#pending += `${bytes.length.toString(16)}\r\n`;
    if (this.#pending.length + bytes.length <= MERGE_BYTES) {
      this.#pending += bytes.toString('latin1');
    } else {
      this.#client.cork();
      this.#flush();
      // A copy: the bytes are only lent, and the client may be slow.
      this.#client.write(Buffer.from(bytes));
      this.#client.uncork();
    }
    if (chunked) this.#pending += '\r\n';
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#replyFraming === 'chunked') this.#pending += `0\r\n${trailerSection(trailers)}\r\n`;
    this.#flush();
    const connection = this.#connection;
    // An answer before the whole request was sent: the rest would be taken for the next request there.
    if (this.#body !== undefined && !this.#body.ended) connection?.abandon();
    else connection?.finish();
    this.#end(undefined);
    this.#finishResponse();
  }

  onPause(): void {
    this.#flush();
    if (this.#client.writableNeedDrain) this.#connection?.pause();
  }

  onDrain(): void {
    this.#body?.resume();
  }

  onLost(error: BalancerError): void {
    const connection = this.#connection as ReplicaConnection;
    this.#body?.stop();
    const retry = mayRetry(
      {
        method: this.request.method ?? '',
        unsent: !connection.connected,
        bodyInHand: this.#body?.inHand ?? true,
        replyBegun: connection.replyBegun,
        attempts: this.#attempts,
      },
      this.#context.maxAttempts,
    );
    // A kept connection may close at any time, which says nothing of the replica: ask it once more on a new one.
    const stale = connection.reused && !connection.replyBegun;
    if (!stale && error.code !== 'bad-reply') this.#context.suspect(connection.agent);
    if (!retry) {
      this.fail(error, false);
      return;
    }
    if (!stale) this.#tried.push(connection.agent.replica.seat);
    this.#attempt(stale, error);
  }

  #attempt(fresh: boolean, earlier?: BalancerError): void {
    const head = this.#head as RequestHead;
    const agent = this.#context.pick(this.#key, this.#tried);
    if (agent === undefined) {
      this.fail(earlier ?? new BalancerError('no-replica', 'no replica can take the request now'), false);
      return;
    }
    this.#attempts += 1;
    const connection = agent.lease(fresh);
    this.#connection = connection;
    connection.begin(this, this.request.method ?? '');
    if (this.#body === undefined) {
      connection.write(head.text);
      return;
    }
    connection.cork();
    connection.write(head.text);
    this.#body.sendTo(connection);
    connection.uncork();
  }

  #flush(): void {
    if (this.#pending === '') return;
    this.#client.write(this.#pending, 'latin1');
    this.#pending = '';
  }

  // Lets `http.Server` go on to the next request of this connection, or ends it.
  #finishResponse(): void {
    this.#response.emit('finish');
    if (!this.#keepAlive) this.#client.destroySoon();
  }

  #end(error: BalancerError | undefined): void {
    this.#over = true;
    this.#context.onOver(this, error);
  }
}
