// The front: Node's `http.Server`, its connections, and the checks that a request passes before it becomes an exchange.

import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenPlace } from '../../core/plane-ports.ts';
import type { Clock } from '../../core/ports.ts';
import type { Ledger } from '../../core/request/ledger.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { FrontMeasures } from '../../core/traffic/measures.ts';
import { asBalancerError, BalancerError } from '../../errors.ts';
import type { MayBeTold } from '../../http/credentials.ts';
import { overfull, type ParsedRequest } from '../../http/headers.ts';
import { hopsLeft, lastHopReply } from '../../http/max-forwards.ts';
import { type Trust, trustRule } from '../../http/trust.ts';
import { announcedBytes, offeredProtocols, withoutOffer } from '../../http/upgrade.ts';
import type { Log } from '../../log.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { ExchangeContext } from '../exchange/exchange-context.ts';
import { permittedHead } from '../explain-permission.ts';
import type { RequestLog } from '../request-log.ts';
import { Clients } from './clients.ts';
import { DateField } from './date-field.ts';
import { errorReply } from './error-reply.ts';
import { type Client, clientOf } from './http1/client.ts';
import { applyLimits, createServer, describeClientError } from './http1/http-server.ts';
import { correctVersion } from './http1/other-protocols.ts';
import { checkParser, readFurther } from './http1/parser.ts';
import type { ReplyMemory } from './http1/reply-memory.ts';
import { type OwnAnswer, ownResponse, readerOf, SilentResponse } from './http1/responses.ts';
import { Turn, type TurnTerms } from './http1/turn.ts';
import { Listeners } from './listeners.ts';

/** What the front needs of the data plane around it. */
export interface FrontContext extends ExchangeContext {
  readonly log: RequestLog;
  readonly measures: FrontMeasures;
  readonly replies: ReplyMemory;
  readonly ledger: Ledger;
  /** Each connection must end with the reply that it carries now. */
  readonly closing: boolean;
  /** Call it when a request comes; gives an id for it. */
  arrive(): number;
  /** An id for something refused before there is a request. */
  nextId(): number;
  /** An id for a request that has no key and goes by its id. */
  dealId(): number;
  /** The key of a request; `undefined` if the request goes by its id. @param origin the client's address. */
  keyOf(request: IncomingMessage & ParsedRequest, origin: string): Key | undefined;
  mayBeTold(request: IncomingMessage): MayBeTold;
  /** Gives what answers a request that is for the balancer itself; `undefined` leaves the request to the ring. */
  ownAnswer(request: IncomingMessage): OwnAnswer | undefined;
  /** Called a few times a second while there are clients. @param lateMs how much later than planned. */
  onTick(nowMs: number, lateMs: number): void;
}

const SWEEP_MS = 50;

export class FrontServer implements TurnTerms {
  readonly #context: FrontContext;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #clients: Clients;
  readonly #trust: Trust;
  readonly #server: Server;
  readonly #listeners: Listeners;
  readonly #date = new DateField();
  readonly #mayBeTold = (request: IncomingMessage) => this.#context.mayBeTold(request);

  constructor(context: FrontContext, clock: Clock, log: Log) {
    this.#context = context;
    this.#clock = clock;
    this.#log = log;
    const { limits, replies } = context;
    this.#trust = trustRule(limits.trustedProxies);
    const { trusts } = this.#trust;
    const terms = { limits, trusts, replies, onRefused: (error: BalancerError) => this.#onRefused(error) };
    this.#clients = new Clients(terms, context.ledger, clock, (nowMs, lateMs) => context.onTick(nowMs, lateMs));
    this.#server = createServer(limits);
    this.#listeners = new Listeners(this.#server);
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
    const stopSweeping = this.#clock.every(SWEEP_MS, () => this.#server.closeIdleConnections());
    const closed = this.#listeners.close();
    if (signal.aborted) cut();
    await closed;
    stopSweeping();
    signal.removeEventListener('abort', cut);
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
    this.#server.on('connection', (socket) => {
      if (clientOf(socket) === undefined) this.#context.measures.connection(false);
      this.#clients.admit(socket);
    });
    this.#server.on('request', onRequest);
    // The replica answers every expectation, 100-continue included.
    this.#server.on('checkContinue', onRequest);
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('clientError', (error, socket) => {
      const client = this.#clients.of(socket as Socket);
      // After ECONNRESET and the like nobody is left to read an answer.
      if (!socket.destroyed && !client.reading.hasStopped(error)) client.refuse(describeClientError(error));
    });
    this.#server.on('connect', (_request, socket) => this.#onConnect(socket as Socket));
    this.#server.on('upgrade', (request, socket, early) =>
      this.#onUpgrade(request as IncomingMessage & ParsedRequest, socket as Socket, early),
    );
  }

  #onRequest(request: IncomingMessage, response: SilentResponse): void {
    correctVersion(request);
    const client = this.#clients.of(request.socket);
    client.inTurn(response, () => this.#begin(client, response));
  }

  // `offered` and `early` come with a request that offers to switch protocols: the protocols, and the bytes that came
  // after its head.
  #begin(client: Client, response: SilentResponse, offered?: string, early?: Buffer): void {
    const request = response.req as IncomingMessage & ParsedRequest;
    const context = this.#context;
    let requestId = context.arrive();
    if (client.hasAsked) context.measures.connection(true);
    client.hasAsked = true;
    try {
      const fault = overfull(request, context.limits.maxFields);
      if (fault !== undefined) throw fault;
      const origin = client.trusted ? this.#trust.originOf(client.address, request.rawHeaders) : client.address;
      const hops = hopsLeft(request);
      const offer = offered ?? client.reading.takeOffer(request);
      if (offer !== undefined) response.shouldKeepAlive = false;
      const { underscores } = context.limits;
      const head = permittedHead(this.#mayBeTold, request, client, underscores, offer, hops);
      if (early === undefined && this.#isAnsweredHere(client, response)) return;
      if (hops !== undefined && hops < 0) {
        const keepAlive = head.body === 'none' && response.shouldKeepAlive && !context.closing && !client.isLast;
        client.socket.write(lastHopReply(request, this.date(), keepAlive, client.omitsVia), 'latin1');
        client.finish(response, keepAlive);
        return;
      }
      const key = context.keyOf(request, origin);
      if (key === undefined) requestId = context.dealId();
      const asked = { head, key: key ?? requestId, requestId, early };
      const exchange = new Exchange(context, new Turn(client, response, this), request, asked);
      client.occupant = exchange;
      exchange.start();
    } catch (thrown) {
      const error = asBalancerError(thrown);
      this.#context.log.refused(requestId, error, request);
      client.socket.write(errorReply(error, requestId, false, request), 'latin1');
      client.finish(response, false);
    }
  }

  #isAnsweredHere(client: Client, turn: SilentResponse): boolean {
    const { req: request } = turn;
    const answer = this.#context.ownAnswer(request);
    if (answer === undefined) return false;
    const response = ownResponse(turn);
    if (this.closing || client.isLast) response.setHeader('Connection', 'close');
    answer(response);
    client.answersItself(response, request.complete ? undefined : readerOf(request));
    return true;
  }

  #onRefused(error: BalancerError): number {
    const requestId = this.#context.nextId();
    this.#context.log.refused(requestId, error);
    return requestId;
  }

  #onConnect(socket: Socket): void {
    hearErrors(socket);
    this.#clients.of(socket).refuse(new BalancerError('not-implemented', 'CONNECT is not for a load balancer'));
  }

  // `http.Server` has let go of the socket. What the client sends from now on waits in it until the replica has
  // switched.
  #onUpgrade(request: IncomingMessage & ParsedRequest, socket: Socket, early: Buffer): void {
    readFurther(socket);
    hearErrors(socket);
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

// To be called of a connection that `http.Server` has let go of: an error that nobody hears ends the process.
function hearErrors(socket: Socket): void {
  if (socket.listenerCount('error', ignore) === 0) socket.on('error', ignore);
}

function ignore(): void {}
