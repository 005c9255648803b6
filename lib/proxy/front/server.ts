// The front: Node's `http.Server`, its connections, and the checks that a request passes before it becomes an exchange.

import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenPlace } from '../../core/plane-ports.ts';
import type { Clock } from '../../core/ports.ts';
import type { Ledger } from '../../core/request/ledger.ts';
import { asBalancerError, BalancerError } from '../../errors.ts';
import type { MayBeTold } from '../../http/credentials.ts';
import { overfull, type ParsedRequest } from '../../http/headers.ts';
import { hopsLeft, lastHopReply } from '../../http/max-forwards.ts';
import { type Trust, trustRule } from '../../http/trust.ts';
import { announcedBytes, offeredProtocols, withoutOffer } from '../../http/upgrade.ts';
import type { Log } from '../../log.ts';
import type { AccessLog } from '../access/access-log.ts';
import { traceparentOf, withTrace } from '../access/trace-context.ts';
import type { TraceIds } from '../access/trace-ids.ts';
import type { Incoming } from '../exchange/downstream.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { ExchangeContext } from '../exchange/exchange-context.ts';
import { permittedHead } from '../explain-permission.ts';
import type { Keys } from '../keys/keys.ts';
import type { RequestLog } from '../request-log.ts';
import { ownerOf } from './client-socket.ts';
import { Clients } from './clients.ts';
import { DateField } from './date-field.ts';
import { bodyBytesOf, errorReply } from './error-reply.ts';
import type { Client } from './http1/client.ts';
import { applyLimits, createServer, describeClientError, interceptConnections } from './http1/http-server.ts';
import { correctVersion } from './http1/other-protocols.ts';
import { checkParser, readFurther } from './http1/parser.ts';
import type { ReplyMemory } from './http1/reply-memory.ts';
import { type OwnAnswer, ownResponse, readerOf, SilentResponse } from './http1/responses.ts';
import { Turn, type TurnTerms } from './http1/turn.ts';
import { Listeners, type Listening } from './listeners.ts';
import type { PlainRequest } from './plain/plain-request.ts';

/** What the front needs of the data plane around it. */
export interface FrontContext extends ExchangeContext {
  readonly log: RequestLog;
  readonly access: AccessLog;
  readonly traceIds: TraceIds;
  readonly replies: ReplyMemory;
  readonly ledger: Ledger;
  /** Each connection must end with the reply that it carries now. */
  readonly closing: boolean;
  /** Call it when a request comes; gives an id for it. */
  arrive(): number;
  /** An id for something refused before there is a request. */
  nextId(): number;
  readonly keys: Keys;
  mayBeTold(request: IncomingMessage): MayBeTold;
  /** Gives what answers a request that is for the balancer itself; `undefined` leaves the request to the ring. */
  ownAnswer(request: IncomingMessage): OwnAnswer | undefined;
  /** Called a few times a second while there are clients. @param lateMs how much later than planned. */
  onTick(nowMs: number, lateMs: number): void;
}

const onSystem = (server: Server): Listening => new Listeners(server);
const SWEEP_MS = 50;
const LAST_WRITES_MS = 300;

export class FrontServer implements TurnTerms {
  readonly #context: FrontContext;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #clients: Clients;
  readonly #trust: Trust;
  readonly #server: Server;
  readonly #listeners: Listening;
  readonly #date = new DateField();
  // A plain request never asks that.
  readonly #mayBeTold = (request: object) => this.#context.mayBeTold(request as IncomingMessage);

  constructor(context: FrontContext, clock: Clock, log: Log, listeners = onSystem) {
    this.#context = context;
    this.#clock = clock;
    this.#log = log;
    const { limits, replies } = context;
    this.#trust = trustRule(limits.trustedProxies);
    const { trusts } = this.#trust;
    this.#server = createServer(limits);
    const terms = {
      limits,
      trusts,
      replies,
      serve: interceptConnections(this.#server, (socket) => this.#onConnection(socket)),
      onPlain: (client: Client, request: PlainRequest) => this.#onPlain(client, request),
      onRefused: (error: BalancerError, client: string) => this.#onRefused(error, client),
    };
    this.#clients = new Clients(terms, context.ledger, clock, (nowMs, lateMs) => context.onTick(nowMs, lateMs));
    this.#listeners = listeners(this.#server);
    this.#hear();
  }

  /**
   * Resolves with the port that it listens on. Rejects with the system's error.
   * @param sharesPort the planes of other threads listen there too.
   */
  async listen(place: ListenPlace, sharesPort: boolean): Promise<number> {
    await checkParser();
    const onError = ({ message }: Error) => this.#log.error('accept-failed', { reason: message });
    return this.#listeners.listen(place, sharesPort, onError);
  }

  /** Accepts no more connections and lets open requests finish; cuts what is left when `signal` is aborted. */
  async close(signal: AbortSignal): Promise<void> {
    const cut = () => this.#clients.cut();
    signal.addEventListener('abort', cut, { once: true });
    // Connections become idle one by one as their last request ends.
    const stopSweeping = this.#clock.every(SWEEP_MS, () => {
      this.#server.closeIdleConnections();
      this.#clients.closeIdle();
    });
    const closed = this.#listeners.close();
    if (signal.aborted) cut();
    await closed;
    stopSweeping();
    signal.removeEventListener('abort', cut);
  }

  get descriptors(): readonly number[] {
    return this.#listeners.descriptors;
  }

  /**
   * Accepts no more connections, which another process does, and lets those that there are end with their next reply.
   * When `signal` is aborted, the rest ends: event streams and tunnels in order, and requests under way are cut.
   * Resolves with the number of these.
   */
  async giveWay(signal: AbortSignal): Promise<number> {
    let lost = 0;
    const end = () => {
      this.#clients.endTunnels();
      // Streams that end now have more to write.
      void this.#clock.sleep(LAST_WRITES_MS).then(() => {
        lost = this.#clients.cut();
      });
    };
    signal.addEventListener('abort', end, { once: true });
    const closed = this.#listeners.giveWay();
    if (signal.aborted) end();
    await closed;
    signal.removeEventListener('abort', end);
    return lost;
  }

  /** Call it when the limits have changed. */
  settingsChanged(): void {
    applyLimits(this.#server, this.#context.limits);
  }

  date(): string {
    return this.#date.value();
  }

  get closing(): boolean {
    return this.#context.closing;
  }

  #hear(): void {
    const onRequest = (request: IncomingMessage, response: unknown) =>
      this.#onRequest(request, response as SilentResponse);
    this.#server.on('request', onRequest);
    // The replica answers every expectation, 100-continue included.
    this.#server.on('checkContinue', onRequest);
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('clientError', (error, socket) => {
      const client = this.#clients.of(socket as Socket);
      // After ECONNRESET and the like nobody is left to read an answer.
      if (!socket.destroyed && client.reading?.hasStopped(error) !== true) client.refuse(describeClientError(error));
    });
    this.#server.on('connect', (_request, socket) => this.#onConnect(socket as Socket));
    this.#server.on('upgrade', (request, socket, early) =>
      this.#onUpgrade(request as IncomingMessage & ParsedRequest, socket as Socket, early),
    );
  }

  #onConnection(socket: Socket): void {
    if (ownerOf(socket) === undefined) this.#context.measures.connection(false);
    this.#clients.admit(socket);
  }

  #onRequest(request: IncomingMessage, response: SilentResponse): void {
    correctVersion(request);
    const client = this.#clients.of(request.socket);
    client.inTurn(response, () => this.#begin(client, response));
  }

  #onPlain(client: Client, request: PlainRequest): boolean {
    // Asks only whether there is an answer, by method and target. `http.Server` has the means to give it.
    if (this.#context.ownAnswer(request as unknown as IncomingMessage) !== undefined) return false;
    this.#begin(client, request);
    return true;
  }

  // `offered` and `early` come with a request that offers to switch protocols: the protocols, and the bytes that came
  // after its head.
  #begin(client: Client, response: SilentResponse | PlainRequest, offered?: string, early?: Buffer): void {
    const request = response.req as Incoming & ParsedRequest & { rawHeaders: readonly string[] };
    const context = this.#context;
    let requestId = context.arrive();
    let origin = client.address;
    if (client.hasAsked) context.measures.connection(true);
    client.hasAsked = true;
    try {
      const fault = overfull(request, context.limits.maxFields);
      if (fault !== undefined) throw fault;
      if (client.trusted) origin = this.#trust.originOf(origin, request.rawHeaders);
      const hops = hopsLeft(request);
      const offer = offered ?? client.reading?.takeOffer(request);
      if (offer !== undefined) response.shouldKeepAlive = false;
      const { underscores, beginsTraces } = context.limits;
      if (beginsTraces && traceparentOf(request.rawHeaders) === undefined) {
        request.rawHeaders = withTrace(request.rawHeaders, context.traceIds.next());
      }
      const head = permittedHead(this.#mayBeTold, request, client, underscores, offer, hops);
      if (early === undefined && response instanceof SilentResponse) {
        if (this.#isAnsweredHere(client, response, origin, requestId)) return;
      }
      if (hops !== undefined && hops < 0) {
        const keepAlive = head.body === 'none' && response.shouldKeepAlive && !context.closing && !client.isLast;
        const reply = lastHopReply(request, this.date(), keepAlive, client.omitsVia);
        client.socket.write(reply, 'latin1');
        context.access.answered({ client: origin, requestId }, request, 200, bodyBytesOf(reply));
        client.finish(response, keepAlive);
        return;
      }
      const found = context.keys.of(request, origin, client.trusted);
      // One whose key may be in its body gets such an id later, if it needs one.
      if (found.key === undefined && found.further === undefined) requestId = context.dealId();
      const asked = { head, found, requestId, client: origin, early };
      const exchange = new Exchange(context, new Turn(client, response, this), request, asked);
      client.occupant = exchange;
      exchange.start();
    } catch (thrown) {
      const error = asBalancerError(thrown);
      context.log.refused(requestId, error, request);
      context.access.refused({ client: origin, requestId }, error, request);
      client.socket.write(errorReply(error, requestId, false, request), 'latin1');
      client.finish(response, false);
    }
  }

  #isAnsweredHere(client: Client, turn: SilentResponse, origin: string, requestId: number): boolean {
    const { req: request } = turn;
    const answer = this.#context.ownAnswer(request);
    if (answer === undefined) return false;
    const response = ownResponse(turn);
    this.#context.access.follow({ client: origin, requestId }, response);
    if (this.closing || client.isLast) response.setHeader('Connection', 'close');
    answer(response);
    client.answersItself(response, request.complete ? undefined : readerOf(request));
    return true;
  }

  #onRefused(error: BalancerError, client: string): number {
    const requestId = this.#context.nextId();
    this.#context.log.refused(requestId, error);
    this.#context.access.refused({ client, requestId }, error);
    return requestId;
  }

  #onConnect(socket: Socket): void {
    this.#clients.of(socket).refuse(new BalancerError('not-implemented', 'CONNECT is not for a load balancer'));
  }

  // `http.Server` has let go of the socket. What the client sends from now on waits in it until the replica has
  // switched.
  #onUpgrade(request: IncomingMessage & ParsedRequest, socket: Socket, early: Buffer): void {
    readFurther(socket);
    const client = this.#clients.of(socket);
    // The parser has dropped the fields over the limit, so a head that is read once more would seem to be within it.
    const fault = overfull(request, this.#context.limits.maxFields);
    if (fault !== undefined) {
      client.refuse(fault);
      return;
    }
    const offered = offeredProtocols(request);
    const lengthBytes = announcedBytes(request);
    if (offered === '' || lengthBytes > 0) {
      const head = Buffer.from(withoutOffer(request), 'latin1');
      client.readAnew(this.#server, early, { offered, head, lengthBytes });
      return;
    }
    const response = new SilentResponse(request);
    client.inLastTurn(() => {
      client.beginLast();
      this.#begin(client, response, offered, early);
    });
  }
}
