// The data plane's front: the hand-written `http.Server`, its connections, and the table that a request reads once. What is
// done with one request is exchange.ts.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Explanation, explain } from '../core/explain.ts';
import type { Route } from '../core/fleet-state.ts';
import type { Key, RingPolicy } from '../core/policy.ts';
import type { ReplicaRef } from '../core/ports.ts';
import { RequestDealer } from '../core/request-dealer.ts';
import type { SeatId } from '../core/ring.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { Client, errorReply } from './client.ts';
import { Exchange, type ExchangeContext } from './exchange.ts';
import { type ParsedRequest, requestHead } from './headers.ts';
import type { KeyReader } from './key.ts';
import { Meter } from './meter.ts';
import { type AgentLimits, ReplicaAgent } from './replica-agent.ts';
import { type Load, RoutingTable } from './routing-table.ts';

export interface ProxyLimits extends AgentLimits {
  /** Of bounded load: no seat gets more than so many times its part of the requests in flight. Infinity for no bound. */
  readonly balanceFactor: number;
  readonly maxAttempts: number;
  /** Clients may ask why their request goes where it goes. */
  readonly explains: boolean;
  /** Bytes of a request body kept so that the request can be repeated. */
  readonly maxKeptBytes: number;
  /** Time a client has for its head, in ms. */
  readonly headTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

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

/** What the control plane publishes: an order of seats, and the replicas there that may be routed to. */
export interface Routing {
  readonly policy: RingPolicy;
  readonly routes: readonly Route[];
  /** Replicas that take no more requests but finish what they have. */
  readonly draining: readonly ReplicaRef[];
}

// What a lost replica had sent before is still read; then its connections are cut, so that the requests are tried elsewhere.
const LAST_WORDS_MS = 100;
const SWEEP_MS = 50;

const CLIENT = Symbol('client');
type ClientSocket = Socket & { [CLIENT]?: Client };

export class ProxyServer implements ExchangeContext {
  readonly maxAttempts: number;
  readonly maxKeptBytes: number;
  closing = false;
  /** Of the traffic, for whoever wants to know. */
  readonly meter: Meter;
  readonly #ports: ProxyPorts;
  readonly #limits: ProxyLimits;
  readonly #server: http.Server;
  #table: RoutingTable | undefined;
  readonly #load: Load = { inFlight: 0, diverted: 0 };
  // By incarnation, retired ones included until nothing is in flight there.
  readonly #agents = new Map<number, ReplicaAgent>();
  readonly #dealer: RequestDealer;
  #date = '';

  constructor(ports: ProxyPorts, limits: ProxyLimits) {
    this.#ports = ports;
    this.#limits = limits;
    this.maxAttempts = limits.maxAttempts;
    this.maxKeptBytes = limits.maxKeptBytes;
    this.#dealer = new RequestDealer(ports.seed);
    this.meter = new Meter(this.#agents, this.#load);
    this.#server = http.createServer({
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headTimeoutMs,
      // A body may take as long as it goes on.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: 1000,
      requireHostHeader: false,
      optimizeEmptyRequests: true,
    });
    // Size alone limits a head: fields over a count would be dropped silently.
    this.#server.maxHeadersCount = 0;
    const onRequest = (request: IncomingMessage, response: ServerResponse) => this.#onRequest(request, response);
    this.#server.on('connection', (socket: ClientSocket) => {
      socket[CLIENT] = new Client(socket);
    });
    this.#server.on('request', onRequest);
    // Whether to continue, and what else may be expected, is for the replica to say.
    this.#server.on('checkContinue', onRequest);
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      (socket as ClientSocket)[CLIENT]?.refuse(describeClientError(error)),
    );
    this.#server.on('connect', (_request, socket) => this.#onConnect(socket as ClientSocket));
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
    const draining = new Set(routing.draining.map((replica) => replica.incarnation));
    for (const [incarnation, agent] of this.#agents) {
      if (routed.has(incarnation)) continue;
      if (!agent.retired) void agent.idle().then(() => this.#agents.delete(incarnation));
      agent.retire();
      if (!draining.has(incarnation)) setTimeout(() => agent.destroy(), LAST_WORDS_MS).unref();
    }
    for (const { replica, address } of routing.routes) {
      if (this.#agents.has(replica.incarnation)) continue;
      this.#agents.set(replica.incarnation, new ReplicaAgent(replica, address, this.#limits, this.#load));
    }
    const agentOf = (incarnation: number) => this.#agents.get(incarnation) as ReplicaAgent;
    this.#table = new RoutingTable(routing.policy, routing.routes, agentOf, this.#limits.balanceFactor, this.#load);
  }

  /** Resolves when no request is left at that replica; when `signal` is aborted, what is left there is cut. */
  async drained(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    const agent = this.#agents.get(replica.incarnation);
    if (agent === undefined) return;
    const cut = () => agent.destroy();
    signal.addEventListener('abort', cut, { once: true });
    await agent.idle();
    signal.removeEventListener('abort', cut);
  }

  /** Accepts no more connections, lets open requests finish, cuts what is left when `signal` is aborted. */
  close(signal: AbortSignal): Promise<void> {
    this.closing = true;
    const cut = () => this.#server.closeAllConnections();
    signal.addEventListener('abort', cut, { once: true });
    // Connections become idle one by one as their last request ends.
    const sweeper = setInterval(() => this.#server.closeIdleConnections(), SWEEP_MS);
    return new Promise((resolve) => {
      this.#server.close(() => {
        clearInterval(sweeper);
        signal.removeEventListener('abort', cut);
        resolve();
      });
    });
  }

  pick(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined {
    return this.#table?.pick(key, tried);
  }

  explain(key: Key): Explanation | undefined {
    return this.#limits.explains ? this.explainKey(key) : undefined;
  }

  hostnameOf(seat: SeatId): string | undefined {
    return this.#ports.hostnameOf(seat);
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

  /** Kept for a second: the field has no finer grain. */
  date(): string {
    if (this.#date === '') {
      const now = new Date();
      this.#date = now.toUTCString();
      setTimeout(() => {
        this.#date = '';
      }, 1000 - now.getMilliseconds()).unref();
    }
    return this.#date;
  }

  onOver(exchange: Exchange, error: BalancerError | undefined): void {
    const { request, requestId, status, hostname } = exchange;
    this.meter.count(exchange, error, this.#table?.policy);
    const client = (request.socket as ClientSocket)[CLIENT];
    if (client?.exchange === exchange) client.exchange = undefined;
    const { log } = this.#ports;
    if (error === undefined && !log.writesDebug) return;
    const { method, url } = request;
    if (error === undefined) log.debug('request', { requestId, method, url, status, hostname });
    else
      log.error('request-failed', {
        requestId,
        method,
        url,
        status,
        hostname,
        code: error.code,
        reason: error.message,
      });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const client = (request.socket as ClientSocket)[CLIENT] as Client;
    client.inTurn(response, () => this.#begin(client, response));
  }

  #begin(client: Client, response: ServerResponse): void {
    const request = response.req as IncomingMessage & ParsedRequest;
    let requestId: number | undefined;
    try {
      const key = this.#ports.readKey(request, client.address);
      // A request without a key is dealt an id whose seat has room for it.
      requestId = this.#dealer.deal((id) => key !== undefined || this.#table?.isFree(id) !== false);
      const head = requestHead(request, client);
      if (this.closing) response.setHeader('Connection', 'close');
      if (this.#ports.answersItself(request, response)) return;
      const exchange = new Exchange(this, client, response, {
        head,
        key: key ?? requestId,
        requestId,
        sample: this.meter.sample(),
      });
      client.exchange = exchange;
      exchange.start();
    } catch (thrown) {
      const error = asBalancerError(thrown);
      const { method, url } = request;
      this.#ports.log.error('request-refused', { requestId, method, url, code: error.code, reason: error.message });
      client.socket.write(errorReply(error, false, method !== 'HEAD'), 'latin1');
      client.finish(response, false);
    }
  }

  // CONNECT leaves `http.Server` with a bare socket and nothing that listens for its errors.
  #onConnect(socket: ClientSocket): void {
    socket.on('error', () => undefined);
    socket[CLIENT]?.refuse(new BalancerError('not-implemented', 'CONNECT is not for a load balancer'));
  }
}

// ECONNRESET and the like: nobody is there to be answered.
function describeClientError(error: NodeJS.ErrnoException): BalancerError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new BalancerError('head-too-large', 'the head of the request is too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BalancerError('request-timeout', 'the head of the request took too long');
    default:
      return new BalancerError('bad-request', `the request is not HTTP/1.1: ${error.message}`);
  }
}
