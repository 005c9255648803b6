// One request and its reply: seat, attempt, perhaps another attempt, relay; and when to stop waiting. How a reply is written is
// reply-relay.ts, what is retried lib/core/retry.ts, how long is too long patience.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Explanation } from '../core/explain.ts';
import type { Key } from '../core/policy.ts';
import { mayRetry } from '../core/retry.ts';
import type { SeatId } from '../core/ring.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import type { Client, Occupant } from './client.ts';
import { errorReply } from './error-reply.ts';
import type { Asked, ExchangeContext } from './exchange-context.ts';
import { explainFields } from './explain-fields.ts';
import { type RequestHead, textFor } from './headers.ts';
import type { Sample } from './meter.ts';
import { Patience, type Wait } from './patience.ts';
import type { ReplicaAgent } from './replica-agent.ts';
import type { Leaseholder, ReplicaConnection } from './replica-connection.ts';
import { isEventStream, type ReplyHead } from './reply-head.ts';
import { bodyTooLarge, RequestBody } from './request-body.ts';
import { Tunnel } from './tunnel.ts';
import { switchingHead } from './upgrade.ts';
import type { Answer, Waiting } from './waiting-line.ts';

export class Exchange implements Leaseholder, Occupant, Waiting {
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
  readonly #early: Buffer | undefined;
  #body: RequestBody | undefined;
  #connection: ReplicaConnection | undefined;
  readonly #tried: SeatId[] = [];
  #replyBegun = false;
  #explanation: Explanation | undefined;
  #over = false;
  #waiting = false;
  #mayContinue = false;
  #lastError: BalancerError | undefined;
  #tunnel: Tunnel | undefined;
  // Counts what has gone forward.
  #progress = 0;
  #patience: Patience | undefined;

  constructor(context: ExchangeContext, client: Client, response: ServerResponse, asked: Asked) {
    this.#context = context;
    this.#client = client;
    this.#response = response;
    this.request = response.req;
    this.requestId = asked.requestId;
    this.key = asked.key;
    this.sample = asked.sample;
    this.#head = asked.head;
    this.#early = asked.early;
  }

  /** Of the replica that was tried last. */
  get agent(): ReplicaAgent | undefined {
    return this.#connection?.agent;
  }

  start(): void {
    const { body, lengthBytes } = this.#head;
    const { maxBodyBytes } = this.#context.limits;
    if (body === 'none') this.#attempt(false);
    else if (lengthBytes > maxBodyBytes) this.fail(bodyTooLarge(maxBodyBytes), true);
    else this.#receive();
  }

  onClientDrain(): void {
    this.#progress += 1;
    this.#connection?.resume();
  }

  onClientGone(): void {
    if (this.#over) return;
    this.#connection?.abandon();
    if (this.#tunnel !== undefined || this.#connection?.isStream === true) this.#end(undefined);
    else this.#end(new BalancerError('bad-request', 'the client closed the connection before it had the reply'));
  }

  endStream(): void {
    this.#connection?.abandon();
    this.onEnd([]);
  }

  onClientBroken(error: BalancerError): boolean {
    if (this.request.complete) return false;
    this.fail(error, true);
    return true;
  }

  onTick(nowMs: number): void {
    const wait = this.#waitsFor();
    const progress = this.#progress + (this.#body?.receivedBytes ?? 0) + (this.#tunnel?.sentBytes ?? 0);
    const isWhole = !this.#replyBegun && this.#sentAll();
    // Most requests are over before the first tick.
    this.#patience ??= new Patience(this.#context.limits);
    const error = this.#patience.lost(nowMs, wait, progress, isWhole, this.agent?.replica.hostname ?? '');
    if (error !== undefined) this.#giveUp(wait, error);
  }

  onRoom(): Answer {
    this.#attempt(false);
    return !this.#waiting ? 'gone' : this.#tried.length === 0 ? 'full' : 'choosy';
  }

  /** Answers with an error if nothing of a reply has gone out yet, else cuts the connection: a cut is no complete answer. */
  fail(error: BalancerError, closeClient: boolean): void {
    if (this.#over) return;
    this.#connection?.abandon();
    if (this.#replyBegun && !this.#client.relay.takeBack()) {
      this.#client.relay.cut();
      this.#end(error);
      return;
    }
    this.status = error.status;
    const keepAlive = !closeClient && this.#mayKeepAlive();
    const withBody = this.request.method !== 'HEAD';
    this.#client.socket.write(errorReply(error, this.requestId, keepAlive, withBody), 'latin1');
    this.#end(error);
    this.#client.finish(this.#response, keepAlive);
  }

  onInformation(head: ReplyHead): void {
    this.#progress += 1;
    this.#mayContinue = true;
    // An HTTP/1.0 client knows no interim replies (RFC 9110, 15.2).
    if (this.request.httpVersionMinor === 0) return;
    this.#client.relay.inform(head);
  }

  onSwitch(head: ReplyHead): void {
    this.#client.relay.beginTunnel(switchingHead(head, this.#head.offered));
    this.status = head.status;
    this.#replyBegun = true;
    const connection = this.#connection as ReplicaConnection;
    this.#tunnel = new Tunnel(this.#client.socket, connection, this.#early, () => this.#endTunnel(undefined));
  }

  onHead(head: ReplyHead): void {
    this.#progress += 1;
    this.status = head.status;
    if (this.sample !== undefined) this.sample.answeredMs = performance.now();
    this.#replyBegun = true;
    const added = this.#explanation === undefined ? '' : this.#explain(this.#explanation);
    this.#client.relay.begin(head, this.request.httpVersionMinor, this.#mayKeepAlive(), this.#context.date(), added);
    if (isEventStream(head)) this.#connection?.agent.addStream(this.#connection);
  }

  onBody(bytes: Buffer): void {
    this.#progress += 1;
    this.#client.relay.body(bytes);
  }

  onEnd(trailers: readonly string[]): void {
    this.#client.relay.end(trailers);
    // An answer before the whole request was sent: the rest would be taken for the next request there.
    if (this.#sentAll()) this.#connection?.finish();
    else this.#connection?.abandon();
    this.#end(undefined);
    this.#client.finish(this.#response, this.#client.relay.goesOn);
  }

  onPause(): void {
    this.#client.relay.flush();
    if (this.#client.relay.blocked) this.#connection?.pause();
  }

  onDrain(): void {
    this.#progress += 1;
    this.#body?.resume();
    this.#tunnel?.resume();
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
    this.#lastError = error;
    if (!mayRetry(attempt, this.#context.limits.maxAttempts)) this.fail(error, false);
    // What was moved away from a replica that is gone, or found an old connection closed, is no load that an outage multiplies.
    else if (stale || connection.agent.retired || this.#context.spendRetry()) this.#attempt(stale);
    else this.fail(new BalancerError(error.code, `${error.message}; too many requests are being repeated`), false);
  }

  #receive(): void {
    const { maxKeptBytes, maxBodyBytes: maxBytes, maxFields } = this.#context.limits;
    const onRefused = (error: BalancerError) => this.fail(error, true);
    const isChunked = this.#head.body === 'chunked';
    this.#body = new RequestBody(this.request, isChunked, { maxKeptBytes, maxBytes, maxFields, onRefused });
    // A body is announced with bytes of it in hand: a client that only promises one holds no replica. One that waits for a
    // 100 has to have it from the replica.
    if (this.#head.expectsContinue) this.#attempt(false);
    else this.#body.onceBegun(() => this.#over || this.#attempt(false));
  }

  #attempt(fresh: boolean): void {
    this.#progress += 1;
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
      if (this.#waits()) return;
      this.fail(this.#lastError ?? new BalancerError('no-replica', 'no replica can take the request now'), false);
      return;
    }
    this.#waiting = false;
    const connection = agent.lease(fresh);
    this.#connection = connection;
    connection.begin(this, this.request.method ?? '', this.#head.offered !== '');
    if (this.#body === undefined) {
      connection.write(textFor(this.#head, agent.authority));
      return;
    }
    connection.cork();
    connection.write(textFor(this.#head, agent.authority));
    this.#body.sendTo(connection);
    connection.uncork();
  }

  #explain(explanation: Explanation): string {
    const hostname = this.agent?.replica.hostname ?? '';
    return explainFields(explanation, this.requestId, hostname, this.#context.hostnameOf);
  }

  // All replicas that it could go to are full, and there is a place to wait for one.
  #waits(): boolean {
    this.#waiting ||= this.#context.wait(this, this.#tried);
    return this.#waiting;
  }

  #waitsFor(): Wait {
    if (this.#tunnel !== undefined) return 'tunnel';
    if (this.#waiting) return 'room';
    if (this.#replyBegun) return this.#client.relay.blocked ? 'client-takes' : 'reply-body';
    if (this.#sentAll()) return 'reply-head';
    if (this.#body?.blocked === true) return 'replica-takes';
    // A client that waits for a 100 waits for the replica.
    return this.#head.expectsContinue && !this.#mayContinue ? 'reply-head' : 'upload';
  }

  #giveUp(wait: Wait, error: BalancerError): void {
    const connection = this.#connection;
    if (wait === 'reply-head' && connection !== undefined) this.#context.suspect(connection.agent);
    if (wait === 'tunnel') this.#endTunnel(error);
    else this.fail(error, wait === 'upload');
  }

  #endTunnel(error: BalancerError | undefined): void {
    if (this.#over) return;
    this.#connection?.endSoon();
    this.#end(error);
    this.#client.finish(this.#response, false);
  }

  #sentAll(): boolean {
    return this.#body === undefined || this.#body.ended;
  }

  // A client that is still sending when it has its answer may not stop: what it sends must not become its next request.
  #mayKeepAlive(): boolean {
    const asked = this.#head.body === 'none' || this.#body?.ended === true;
    return this.#response.shouldKeepAlive && asked && !this.#context.closing && !this.#client.isLast;
  }

  #end(error: BalancerError | undefined): void {
    this.#over = true;
    if (this.#waiting) this.#context.stopWaiting(this);
    this.#waiting = false;
    this.#body?.discard();
    this.#tunnel?.stop();
    this.#context.onOver(this, error);
  }
}
