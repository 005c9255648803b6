// The data plane's front: the hand-written `http.Server`, its connections, and the table that a request reads once. What is
// done with one request is exchange.ts.

import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ReplicaRef } from '../core/ports.ts';
import { RetryBudget } from '../core/request/retry-budget.ts';
import { type Explanation, explain } from '../core/ring/explain.ts';
import type { Key } from '../core/ring/policy.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import { errorReply } from '../http/error-reply.ts';
import { overfull, type ParsedRequest } from '../http/headers.ts';
import { hopsLeft, lastHopReply } from '../http/max-forwards.ts';
import { type Trust, trustRule } from '../http/trust.ts';
import { announcedBytes, offeredProtocols, withoutOffer } from '../http/upgrade.ts';
import type { Log } from '../log.ts';
import { Exchange } from './exchange/exchange.ts';
import type { ExchangeContext } from './exchange/exchange-context.ts';
import { ReplyMemory } from './exchange/reply-memory.ts';
import { ReturnLine } from './exchange/return-line.ts';
import { UploadMemory } from './exchange/upload-memory.ts';
import { type Waiting, WaitingLine } from './exchange/waiting-line.ts';
import { type MayBeTold, permittedHead } from './explain-permission.ts';
import type { Client } from './front/client.ts';
import { Clients } from './front/clients.ts';
import { DateField } from './front/date-field.ts';
import { createServer, describeClientError } from './front/http-server.ts';
import { correctVersion } from './front/other-protocols.ts';
import { readerOf } from './front/own-requests.ts';
import { checkParser, readFurther } from './front/parser.ts';
import type { KeyReader } from './key.ts';
import { Meter } from './meter.ts';
import type { ProxyLimits } from './proxy-limits.ts';
import type { ReplicaAgent } from './replicas/agent.ts';
import { ReplicaAgents } from './replicas/agents.ts';
import type { Load, Routing } from './replicas/routing-table.ts';
import { RequestLog } from './request-log.ts';
import { RequestNames } from './request-names.ts';

export interface ProxyPorts {
  readonly log: Log;
  readonly readKey: KeyReader;
  /** Takes the requests that are the balancer's own; false leaves the request to the ring. */
  readonly answersItself: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** May the request that asks be told why it goes where it goes? By a token, which is then not passed on. */
  readonly mayBeTold: (request: IncomingMessage) => MayBeTold;
  readonly suspect: (incarnation: number) => void;
  /** Of the replica in that seat, there or on its way. */
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  /** Where the request ids begin: any whole number. */
  readonly seed: number;
}

const SWEEP_MS = 50;

export class ProxyServer implements ExchangeContext {
  readonly limits: ProxyLimits;
  readonly uploads: UploadMemory;
  /** What waits for clients that are slow to take their replies. */
  readonly replies: ReplyMemory;
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  readonly returns: ReturnLine;
  closing = false;
  /** Of the traffic, for whoever wants to know. */
  readonly meter: Meter;
  readonly #ports: ProxyPorts;
  readonly #log: RequestLog;
  readonly #clients: Clients;
  readonly #trust: Trust;
  readonly #budget: RetryBudget;
  readonly #line: WaitingLine;
  readonly #server: Server;
  readonly #load: Load = { inFlight: 0, idle: 0, diverted: 0, freed: () => this.#line.serve() };
  readonly #agents: ReplicaAgents;
  readonly #names: RequestNames;
  readonly #date = new DateField();

  constructor(ports: ProxyPorts, limits: ProxyLimits) {
    this.#ports = ports;
    this.#log = new RequestLog(ports.log);
    this.limits = limits;
    this.uploads = new UploadMemory(limits.uploadMemoryBytes);
    this.replies = new ReplyMemory(limits.replyMemoryBytes, (count) =>
      ports.log.error('slow-readers-dropped', { count }),
    );
    this.hostnameOf = ports.hostnameOf;
    this.#names = new RequestNames(ports.seed);
    this.#agents = new ReplicaAgents(limits, this.#load);
    this.meter = new Meter(this.#agents.byIncarnation, this.#load);
    this.#trust = trustRule(limits.trustedProxies);
    this.#budget = new RetryBudget(limits.retryBudget, limits.leastRetriesPerSecond);
    this.#line = new WaitingLine(limits.maxQueued);
    this.returns = new ReturnLine(limits.maxQueued);
    const { trusts } = this.#trust;
    const { replies } = this;
    const terms = { ...limits, trusts, replies, onRefused: (error: BalancerError) => this.#onRefused(error) };
    this.#clients = new Clients(terms, (nowMs) => {
      this.#budget.advance(nowMs);
      this.meter.onTick(nowMs);
      this.replies.onTick(nowMs);
      this.returns.callSome();
    });
    this.#server = createServer(limits);
    this.#hear();
  }

  #hear(): void {
    const onRequest = (request: IncomingMessage, response: ServerResponse) => this.#onRequest(request, response);
    this.#server.on('connection', (socket) => this.#clients.admit(socket));
    this.#server.on('request', onRequest);
    // Whether to continue, and what else may be expected, is for the replica to say.
    this.#server.on('checkContinue', onRequest);
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('clientError', (error, socket) => {
      const client = this.#clients.of(socket as Socket);
      // After ECONNRESET and the like nobody is there to hear it.
      if (!socket.destroyed && !client.reading.hasStopped(error)) client.refuse(describeClientError(error));
    });
    this.#server.on('connect', (_request, socket) => this.#onConnect(socket as Socket));
    this.#server.on('upgrade', (request, socket, early) =>
      this.#onUpgrade(request as IncomingMessage & ParsedRequest, socket as Socket, early),
    );
  }

  /** Resolves with the port that it listens on. Rejects with the system's error. */
  async listen(port: number, host: string): Promise<number> {
    await checkParser();
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host, backlog: 4096 }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#ports.log.error('accept-failed', { reason: error.message }));
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** From now on requests go by `routing`. What a replica had that is in neither list is tried elsewhere, or cut. */
  route(routing: Routing): void {
    this.#agents.route(routing);
    this.#line.serve();
    this.returns.onRouting(routing);
  }

  /** Resolves when no request is left at that replica; when `signal` is aborted, what is left there is cut. */
  drained(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    return this.#agents.drained(replica, signal);
  }

  /** Accepts no more connections, ends event streams, lets open requests finish, cuts what is left when `signal` is aborted. */
  close(signal: AbortSignal): Promise<void> {
    this.closing = true;
    this.#agents.endStreams();
    const cut = () => this.#clients.cut();
    signal.addEventListener('abort', cut, { once: true });
    // Connections become idle one by one as their last request ends.
    const sweeper = setInterval(() => this.#server.closeIdleConnections(), SWEEP_MS);
    return new Promise((resolve) => {
      this.#server.close(() => {
        clearInterval(sweeper);
        signal.removeEventListener('abort', cut);
        resolve();
      });
      if (signal.aborted) cut();
    });
  }

  pick(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined {
    return this.#agents.table?.pick(key, tried);
  }

  wait(exchange: Waiting, tried: readonly SeatId[]): boolean {
    return this.#agents.table?.hasUntried(tried) === true && this.#line.join(exchange);
  }

  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[] {
    return this.#agents.table?.barredFromTunnels(tried) ?? tried;
  }

  stopWaiting(exchange: Waiting): void {
    this.#line.leave(exchange);
    this.returns.leave(exchange);
  }

  spendRetry(): boolean {
    return this.#budget.withdraw();
  }

  /** Where a request with that key would go now, and why. `undefined` before there was a ring. */
  explain(key: Key): Explanation | undefined {
    const table = this.#agents.table;
    return table === undefined ? undefined : explain(table.policy, key, (seat) => table.objection(seat));
  }

  /** How often the bound on load has sent a request past its owner. */
  get diverted(): number {
    return this.#load.diverted;
  }

  suspect(agent: ReplicaAgent): void {
    this.#ports.suspect(agent.replica.incarnation);
  }

  date(): string {
    return this.#date.value();
  }

  onOver(exchange: Exchange, error: BalancerError | undefined): void {
    this.meter.count(exchange, error, this.#agents.table?.policy);
    const client = this.#clients.of(exchange.request.socket);
    if (client.occupant === exchange) client.occupant = undefined;
    this.#log.ended(exchange, error);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    correctVersion(request);
    const client = this.#clients.of(request.socket);
    client.inTurn(response, () => this.#begin(client, response));
  }

  // `offered` and `early`: of a request that offers to switch protocols, which ones, and what came behind it.
  #begin(client: Client, response: ServerResponse, offered?: string, early?: Buffer): void {
    const request = response.req as IncomingMessage & ParsedRequest;
    let requestId = this.#names.next();
    try {
      this.#budget.deposit();
      const fault = overfull(request, this.limits.maxFields);
      if (fault !== undefined) throw fault;
      const origin = client.trusted ? this.#trust.originOf(client.address, request.rawHeaders) : client.address;
      const key = this.#ports.readKey(request, origin);
      const hops = hopsLeft(request);
      const offer = offered ?? client.reading.takeOffer(request);
      if (offer !== undefined) response.shouldKeepAlive = false;
      const { underscores } = this.limits;
      const head = permittedHead(this.#ports.mayBeTold, request, client, underscores, offer, hops);
      if (early === undefined && this.#isAnsweredHere(client, response)) return;
      if (hops !== undefined && hops < 0) {
        const keepAlive = head.body === 'none' && response.shouldKeepAlive && !this.closing && !client.isLast;
        client.socket.write(lastHopReply(request, this.date(), keepAlive, client.omitsVia), 'latin1');
        client.finish(response, keepAlive);
        return;
      }
      if (key === undefined) requestId = this.#names.deal(this.#agents.table);
      const asked = { head, key: key ?? requestId, requestId, early, sample: this.meter.sample() };
      const exchange = new Exchange(this, client, response, asked);
      client.occupant = exchange;
      exchange.start();
    } catch (thrown) {
      const error = asBalancerError(thrown);
      this.#log.refused(requestId, error, request);
      client.socket.write(errorReply(error, requestId, false, request), 'latin1');
      client.finish(response, false);
    }
  }

  #isAnsweredHere(client: Client, response: ServerResponse): boolean {
    if (this.closing || client.isLast) response.setHeader('Connection', 'close');
    const { req: request } = response;
    if (!this.#ports.answersItself(request, response)) return false;
    client.answersItself(response, request.complete ? undefined : readerOf(request));
    return true;
  }

  #onRefused(error: BalancerError): number {
    const requestId = this.#names.next();
    this.#log.refused(requestId, error);
    return requestId;
  }

  #onConnect(socket: Socket): void {
    this.#clients.of(socket).refuse(new BalancerError('not-implemented', 'CONNECT is not for a load balancer'));
  }

  // `http.Server` has let go of the socket: what the client sends from now on waits there until the replica has switched.
  #onUpgrade(request: IncomingMessage & ParsedRequest, socket: Socket, early: Buffer): void {
    readFurther(socket);
    const client = this.#clients.of(socket);
    // Fields over the limit are lost already: one that is read once more would seem to be within it.
    const fault = overfull(request, this.limits.maxFields);
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
    const response = new ServerResponse(request);
    client.inLastTurn(() => {
      client.beginLast();
      this.#begin(client, response, offered, early);
    });
  }
}
