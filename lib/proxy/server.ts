// The data plane's front: the hand-written `http.Server`, its connections, and the table that a request reads once. What is
// done with one request is exchange.ts.

import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Explanation, explain } from '../core/explain.ts';
import type { Key } from '../core/policy.ts';
import type { ReplicaRef } from '../core/ports.ts';
import { RetryBudget } from '../core/retry-budget.ts';
import type { SeatId } from '../core/ring.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Client } from './client.ts';
import { Clients } from './clients.ts';
import { DateField } from './date-field.ts';
import { errorReply } from './error-reply.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { type ParsedRequest, requestHead } from './headers.ts';
import { createServer, describeClientError } from './http-server.ts';
import type { KeyReader } from './key.ts';
import { hopsLeft, lastHopReply } from './max-forwards.ts';
import { Meter } from './meter.ts';
import type { ProxyLimits } from './proxy-limits.ts';
import { ReplicaAgent } from './replica-agent.ts';
import { ReplyMemory } from './reply-memory.ts';
import { RequestNames } from './request-names.ts';
import { ReturnLine } from './return-line.ts';
import { type Load, type Routing, RoutingTable } from './routing-table.ts';
import { type Trust, trustRule } from './trust.ts';
import { offeredProtocols } from './upgrade.ts';
import { UploadMemory } from './upload-memory.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

export interface ProxyPorts {
  readonly log: Log;
  readonly readKey: KeyReader;
  /** Takes the requests that are the balancer's own; false leaves the request to the ring. */
  readonly answersItself: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly suspect: (incarnation: number) => void;
  /** Of the replica in that seat, there or on its way. */
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  /** Where the request ids begin: any whole number. */
  readonly seed: number;
}

// What a lost replica had sent before is still read; then its connections are cut, so that the requests are tried elsewhere.
const LAST_WORDS_MS = 100;
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
  readonly #clients: Clients;
  readonly #trust: Trust;
  readonly #budget: RetryBudget;
  readonly #line: WaitingLine;
  readonly #server: Server;
  #table: RoutingTable | undefined;
  readonly #load: Load = { inFlight: 0, idle: 0, diverted: 0, freed: () => this.#line.serve() };
  // By incarnation, retired ones included until nothing is in flight there.
  readonly #agents = new Map<number, ReplicaAgent>();
  readonly #names: RequestNames;
  readonly #date = new DateField();

  constructor(ports: ProxyPorts, limits: ProxyLimits) {
    this.#ports = ports;
    this.limits = limits;
    this.uploads = new UploadMemory(limits.uploadMemoryBytes);
    this.replies = new ReplyMemory(limits.replyMemoryBytes, (count) =>
      ports.log.error('slow-readers-dropped', { count }),
    );
    this.hostnameOf = ports.hostnameOf;
    this.#names = new RequestNames(ports.seed);
    this.meter = new Meter(this.#agents, this.#load);
    this.#trust = trustRule(limits.trustedProxies);
    this.#budget = new RetryBudget(limits.retryBudget, limits.leastRetriesPerSecond);
    this.#line = new WaitingLine(limits.maxQueued);
    this.returns = new ReturnLine(limits.maxQueued);
    const { trusts } = this.#trust;
    const { replies } = this;
    const terms = { ...limits, trusts, replies, onRefused: (error: BalancerError) => this.#onRefused(error) };
    this.#clients = new Clients(terms, (nowMs) => {
      this.#budget.advance(nowMs);
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
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#clients.of(socket as Socket).refuse(describeClientError(error)),
    );
    this.#server.on('connect', (_request, socket) => this.#onConnect(socket as Socket));
    this.#server.on('upgrade', (request, socket, early) => this.#onUpgrade(request, socket as Socket, early));
  }

  /** Resolves with the port that it listens on. Rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
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
    const routed = new Set(routing.routes.map((route) => route.replica.incarnation));
    const resting = new Set(routing.resting?.map((replica) => replica.incarnation));
    const draining = new Set(routing.draining.map((replica) => replica.incarnation));
    for (const [incarnation, agent] of this.#agents) {
      if (routed.has(incarnation) || resting.has(incarnation)) continue;
      if (!agent.retired) void agent.idle().then(() => this.#agents.delete(incarnation));
      agent.retire();
      if (!draining.has(incarnation)) setTimeout(() => agent.destroy(), LAST_WORDS_MS).unref();
    }
    for (const { replica, address } of routing.routes) {
      if (this.#agents.has(replica.incarnation)) continue;
      this.#agents.set(replica.incarnation, new ReplicaAgent(replica, address, this.limits, this.#load));
    }
    const agentOf = (incarnation: number) => this.#agents.get(incarnation) as ReplicaAgent;
    this.#table = new RoutingTable(routing.policy, routing.routes, agentOf, this.limits, this.#load);
    this.#line.serve();
    this.returns.onRouting(routing);
  }

  /** Resolves when no request is left at that replica; when `signal` is aborted, what is left there is cut. */
  async drained(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    const agent = this.#agents.get(replica.incarnation);
    if (agent === undefined) return;
    const cut = () => agent.destroy();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    await agent.idle();
    signal.removeEventListener('abort', cut);
  }

  /** Accepts no more connections, ends event streams, lets open requests finish, cuts what is left when `signal` is aborted. */
  close(signal: AbortSignal): Promise<void> {
    this.closing = true;
    for (const agent of this.#agents.values()) agent.endStreams();
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
    return this.#table?.pick(key, tried);
  }

  wait(exchange: Waiting, tried: readonly SeatId[]): boolean {
    return this.#table?.hasUntried(tried) === true && this.#line.join(exchange);
  }

  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[] {
    return this.#table?.barredFromTunnels(tried) ?? tried;
  }

  stopWaiting(exchange: Waiting): void {
    this.#line.leave(exchange);
    this.returns.leave(exchange);
  }

  spendRetry(): boolean {
    return this.#budget.withdraw();
  }

  explain(key: Key): Explanation | undefined {
    return this.limits.explains ? this.explainKey(key) : undefined;
  }

  /** Where a request with that key would go now, and why. `undefined` before there was a ring. */
  explainKey(key: Key): Explanation | undefined {
    const table = this.#table;
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
    const { request, requestId, status, agent } = exchange;
    this.meter.count(exchange, error, this.#table?.policy);
    const client = this.#clients.of(request.socket);
    if (client.occupant === exchange) client.occupant = undefined;
    const { log } = this.#ports;
    if (error === undefined && !log.writesDebug) return;
    const { method, url } = request;
    const outcome = { requestId, method, url, status, hostname: agent?.replica.hostname };
    if (error === undefined) log.debug('request', outcome);
    else log.error('request-failed', { ...outcome, code: error.code, reason: error.message });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const client = this.#clients.of(request.socket);
    client.inTurn(response, () => this.#begin(client, response));
  }

  // `early`: what came behind a request that offers to switch protocols.
  #begin(client: Client, response: ServerResponse, early?: Buffer): void {
    const request = response.req as IncomingMessage & ParsedRequest;
    let requestId = this.#names.next();
    try {
      this.#budget.deposit();
      const origin = client.trusted ? this.#trust.originOf(client.address, request.rawHeaders) : client.address;
      const key = this.#ports.readKey(request, origin);
      const hops = hopsLeft(request);
      const head = requestHead(request, client, early === undefined ? '' : offeredProtocols(request), hops);
      if (early === undefined && this.#isAnsweredHere(client, response)) return;
      if (hops !== undefined && hops < 0) {
        const keepAlive = head.body === 'none' && response.shouldKeepAlive && !this.closing && !client.isLast;
        client.socket.write(lastHopReply(request, this.date(), keepAlive), 'latin1');
        client.finish(response, keepAlive);
        return;
      }
      if (key === undefined) requestId = this.#names.deal(this.#table);
      const asked = { head, key: key ?? requestId, requestId, early, sample: this.meter.sample() };
      const exchange = new Exchange(this, client, response, asked);
      client.occupant = exchange;
      exchange.start();
    } catch (thrown) {
      const error = asBalancerError(thrown);
      const { method, url } = request;
      this.#ports.log.error('request-refused', { requestId, method, url, code: error.code, reason: error.message });
      client.socket.write(errorReply(error, requestId, false, method !== 'HEAD'), 'latin1');
      client.finish(response, false);
    }
  }

  #isAnsweredHere(client: Client, response: ServerResponse): boolean {
    if (this.closing || client.isLast) response.setHeader('Connection', 'close');
    if (!this.#ports.answersItself(response.req, response)) return false;
    response.once('finish', () => client.answered());
    return true;
  }

  #onRefused(error: BalancerError): number {
    const requestId = this.#names.next();
    this.#ports.log.error('request-refused', { requestId, code: error.code, reason: error.message });
    return requestId;
  }

  // CONNECT leaves `http.Server` with a bare socket and nothing that listens for its errors.
  #onConnect(socket: Socket): void {
    socket.on('error', () => undefined);
    this.#clients.of(socket).refuse(new BalancerError('not-implemented', 'CONNECT is not for a load balancer'));
  }

  // Likewise. What the client sends from now on waits in its socket until the replica has switched.
  #onUpgrade(request: IncomingMessage, socket: Socket, early: Buffer): void {
    socket.on('error', () => undefined);
    const client = this.#clients.of(socket);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    client.inLastTurn(() => {
      client.beginLast();
      this.#begin(client, response, early);
    });
  }
}
