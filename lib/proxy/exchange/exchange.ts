// One request and its reply: finds a replica, attempts, perhaps again, relays, and gives up what takes too long. The
// reply goes to downstream.ts, loss.ts decides what becomes of a lost attempt, patience.ts how long is too long.

import type { KeyFinding } from '../../core/keys/key-finding.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import { isEventStream, malformed, type ReplyHead } from '../../http/reply-head.ts';
import type { Suspicion } from '../poison/guard.ts';
import type { Lease, Leaseholder, Lessor } from '../replicas/lease.ts';
import { sendRequest } from '../replicas/send-request.ts';
import { mayBeUnread } from '../replicas/unread-bodies.ts';
import { takeReply, withFields } from '../reply-fields.ts';
import type { Downstream, Incoming, Occupant, Tunnel } from './downstream.ts';
import type { Asked, Ended, ExchangeContext, Loss } from './exchange-context.ts';
import { findReplica, isAstray, type Seeker, waitedInVain, waitForReturn } from './find-replica.ts';
import { judgeLoss, NO_LOSSES } from './loss.ts';
import { Patience, type Phase, type Wait, waitOf } from './patience.ts';
import { bodyTooLarge, hasBody, NO_BODY, type OutgoingBody, RequestBody } from './request-body.ts';
import { Times } from './times.ts';
import type { Answer } from './waiting-line.ts';

export class Exchange implements Leaseholder, Occupant, Seeker, Ended {
  readonly request: Incoming;
  requestId: number;
  found: KeyFinding;
  key: Key;
  weight = 0;
  readonly client: string;
  readonly times = new Times();
  readonly head: RequestHead;
  readonly tried: SeatId[] = [];
  attempts = 0;
  losses: readonly Loss[] = NO_LOSSES;
  sentBytes = 0;
  lastError: BalancerError | undefined;
  explanation: Seeker['explanation'];
  passedFor: Seeker['passedFor'];
  awaitsReturn = false;
  suspicion: Suspicion | undefined;
  body: OutgoingBody = NO_BODY;
  status = 0;
  error: BalancerError | undefined;
  readonly #context: ExchangeContext;
  readonly #downstream: Downstream;
  readonly #early: Buffer | undefined;
  #phase: Phase = 'receiving';
  #lease: Lease | undefined;
  #mayContinue = false;
  #tunnel: Tunnel | undefined;
  // Grows with each step forward, so that standing still shows.
  #progress = 0;
  #patience: Patience | undefined;

  constructor(context: ExchangeContext, downstream: Downstream, request: Incoming, asked: Asked) {
    this.#context = context;
    this.#downstream = downstream;
    this.request = request;
    this.requestId = asked.requestId;
    this.found = asked.found;
    this.key = asked.found.key ?? asked.requestId;
    this.client = asked.client;
    this.head = asked.head;
    this.#early = asked.early;
  }

  get agent(): Lessor | undefined {
    return this.#lease?.lessor;
  }

  get receivedBytes(): number {
    return this.body.receivedBytes + (this.#tunnel?.sentBytes ?? 0);
  }

  get isWaiting(): boolean {
    return this.#phase === 'waiting';
  }

  start(): void {
    const { maxBodyBytes } = this.#context.limits;
    if (!hasBody(this.head)) this.#attempt(false);
    else if (this.head.lengthBytes > maxBodyBytes) this.fail(bodyTooLarge(maxBodyBytes), true);
    else this.#receive();
  }

  onClientDrain(): void {
    this.#progress += 1;
    this.#lease?.resume();
  }

  onClientGone(): void {
    if (this.#phase === 'over') return;
    this.#lease?.abandon();
    if (this.#phase === 'tunnel' || this.#lease?.isStream === true) this.#end(undefined);
    else this.#end(new BalancerError('client-left', 'the client closed the connection before it had the reply'));
  }

  endStream(): void {
    this.#lease?.abandon();
    this.onEnd([]);
  }

  onClientBroken(error: BalancerError): boolean {
    if (this.request.complete) return false;
    this.fail(error, true);
    return true;
  }

  onTick(nowMs: number): void {
    const awaitsContinue = this.head.expectsContinue && !this.#mayContinue;
    const connected = this.#lease?.connected === true;
    const wait = waitOf(this.#phase, this.body, this.#downstream, connected, awaitsContinue);
    // There may be memory again to read ahead of this client.
    if (wait === 'client-takes' && !this.#downstream.full) this.#lease?.resume();
    if (this.#phase === 'replying') this.#context.guard.replies(this);
    const progress = this.#progress + Number(connected) + this.receivedBytes;
    const isWhole = !this.#replyBegun && this.body.ended;
    // Made late, since most requests are over before the first tick.
    this.#patience ??= new Patience(this.#context.limits);
    const error =
      this.#patience.lost(nowMs, wait, progress, isWhole, this.agent?.replica.hostname ?? '') ??
      this.#patience.lostPace(nowMs, wait, this.body.receivedBytes) ??
      this.#patience.lostHome(nowMs, wait === 'tunnel' && isAstray(this, this.#context));
    if (error !== undefined) this.#giveUp(wait, error);
  }

  onRoom(): Answer {
    if (this.#phase === 'waiting') this.#attempt(false);
    if (this.#phase !== 'waiting') return 'gone';
    const isChoosy = this.tried.length > 0 || this.head.offered !== '' || this.suspicion?.heldBackMs !== undefined;
    return isChoosy ? 'choosy' : 'full';
  }

  /** Replies with an error, or cuts the connection if part of a reply has gone out: nobody takes it for complete. */
  fail(error: BalancerError, closeClient: boolean): void {
    if (this.#phase === 'over') return;
    this.#lease?.abandon();
    const downstream = this.#downstream;
    if (this.#replyBegun && !downstream.takeBack()) {
      downstream.cut();
      this.#end(error);
      return;
    }
    this.status = error.status;
    // A client that still sends when it has its answer may go on; its bytes are no request.
    this.sentBytes = downstream.refuse(error, this.requestId, !closeClient && this.body.ended);
    this.#end(error);
    downstream.finish();
  }

  onInformation(head: ReplyHead): void {
    this.#progress += 1;
    // That of a second replica, after the first was lost, would be for nothing: the client sends already.
    if (head.status === 100 && this.#mayContinue) return;
    if (head.status === 100) this.#mayContinue = true;
    this.#downstream.inform(head);
  }

  onSwitch(head: ReplyHead): void {
    if (!this.body.ended) throw malformed('it switches before it has the whole request');
    const lease = this.#lease as Lease;
    const told = withFields(head, takeReply(this, head, this.#context));
    this.#tunnel = this.#downstream.beginTunnel(told, this.head.offered, lease, this.#early);
    this.status = head.status;
    this.#phase = 'tunnel';
    lease.becomeTunnel();
    this.#context.guard.answered(this);
  }

  onHead(head: ReplyHead): void {
    this.#progress += 1;
    this.status = head.status;
    this.times.answeredMs = performance.now();
    this.#phase = 'replying';
    this.#downstream.begin(head, this.body.ended, takeReply(this, head, this.#context));
    // With a key, one that answers a POST is what a language model says: its engine works on it, and it has an end.
    if (!isEventStream(head) || (this.found.keyClass !== undefined && this.request.method === 'POST')) return;
    this.#context.guard.answered(this);
    this.#downstream.followClient();
    this.#lease?.becomeStream();
  }

  onBody(bytes: Buffer): void {
    this.#progress += 1;
    this.sentBytes += bytes.length;
    this.#downstream.body(bytes);
  }

  onEnd(trailers: readonly string[]): void {
    this.#downstream.end(trailers);
    this.#context.guard.answered(this);
    // Bytes may be left that the replica would take for its next request: those that come after an early reply, or a
    // body that it did not read.
    const isUnread = !this.body.ended || mayBeUnread(this.request.method ?? '', this.status);
    if (hasBody(this.head) && isUnread) this.#lease?.abandon();
    else this.#lease?.finish();
    this.#end(undefined);
    this.#downstream.finish();
  }

  onPause(): void {
    this.#downstream.flush();
    if (this.#downstream.full) this.#lease?.pause();
  }

  onDrain(): void {
    this.#progress += 1;
    this.body.resume();
    this.#tunnel?.resume();
  }

  onConnected(): void {
    this.times.connectedMs = performance.now();
  }

  onSlowConnect(): void {
    // The replica may hang. Other requests go elsewhere until a probe has cleared it.
    if (this.agent !== undefined) this.#context.suspect(this.agent.replica);
  }

  onLost(error: BalancerError): void {
    const lease = this.#lease as Lease;
    this.body.stop();
    this.times.askedMs = 0;
    this.lastError = error;
    this.losses = [...this.losses, { replica: lease.lessor.replica, why: error.code }];
    this.#context.guard.lost(this, lease, error.code, this.#phase === 'tunnel');
    const { method = '' } = this.request;
    const attempted = { method, bodyInHand: this.body.inHand, replyBegun: this.#replyBegun };
    const verdict = judgeLoss(error, lease, attempted, this.tried, this.#context);
    if (lease.connected) this.awaitsReturn = false;
    if (verdict instanceof BalancerError) this.fail(verdict, false);
    else if (verdict !== 'when-back') this.#attempt(verdict === 'again-fresh');
    else if (waitForReturn(this, this.#context)) this.#phase = 'waiting';
    else this.fail(error, false);
  }

  #receive(): void {
    const { limits, uploads } = this.#context;
    const isChunked = this.head.body === 'chunked';
    const body = new RequestBody(this.request, isChunked, limits, uploads, (error) => this.fail(error, true));
    this.body = body;
    // A client that expects a 100 needs the replica first, since the 100 comes from there; its body holds no key then.
    if (this.head.expectsContinue) this.#attempt(false);
    else body.onceReady(() => this.#phase === 'over' || this.#attempt(false));
  }

  #attempt(fresh: boolean): void {
    const awaitedReturn = this.awaitsReturn;
    const found = findReplica(this, this.#context);
    // An attempt in vain, after being called from a line, does not begin the wait anew.
    const waitsOn = awaitedReturn || (found === undefined && this.#phase === 'waiting');
    if (!waitsOn) this.#progress += 1;
    if (found instanceof BalancerError) {
      this.fail(found, false);
      return;
    }
    if (found === undefined) {
      this.#phase = 'waiting';
      return;
    }
    this.#phase = 'asking';
    this.attempts += 1;
    const isAlone = this.suspicion?.aloneAt !== undefined;
    const lease = found.lease(fresh || isAlone, this.head.offered !== '', this.weight);
    this.#lease = lease;
    lease.begin(this, this.request.method ?? '');
    sendRequest(lease, this.head, this.body);
  }

  #giveUp(wait: Wait, error: BalancerError): void {
    if (wait === 'reply-head' && this.agent !== undefined) this.#context.suspect(this.agent.replica);
    if (wait !== 'tunnel') {
      this.fail(wait === 'room' ? waitedInVain(this, this.#context, error) : error, wait === 'upload');
      return;
    }
    this.#lease?.endSoon();
    this.#end(error);
    this.#downstream.finish();
  }

  get #replyBegun(): boolean {
    return this.#phase === 'replying' || this.#phase === 'tunnel';
  }

  #end(error: BalancerError | undefined): void {
    if (this.#phase === 'waiting') this.#context.stopWaiting(this);
    if (error !== undefined) this.#context.guard.over(this, this.#phase === 'asking' ? this.#lease : undefined);
    this.#phase = 'over';
    this.body.discard();
    this.#tunnel?.stop();
    this.#downstream.release();
    this.error = error;
    this.times.endedMs = performance.now();
    this.#context.onOver(this);
  }
}
