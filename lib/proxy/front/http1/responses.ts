// The responses of `http.Server`. Replies of replicas are written straight to the socket, so for those all that the
// server needs is whose turn it is and when a reply is over. `ServerResponse` is a stream with listeners and buffers of
// its own: to make one for each request costs 3 to 4 % of it. What the balancer answers itself gets one in its turn.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Occupant } from '../../exchange/downstream.ts';

/** Answers one request. */
export type OwnAnswer = (response: ServerResponse) => void;

/** A socket as `http.Server` sees it: with the response that has its turn. */
type ResponseSocket = Socket & { _httpMessage?: SilentResponse | ServerResponse | null };

/** Whose turn it is: a response of `http.Server`, or a plain request. */
export interface TurnRequest {
  readonly req: { readonly method?: string | undefined; readonly httpVersionMinor: number };
  /** The client, as far as its request says, would send another request after this one. */
  readonly shouldKeepAlive: boolean;
  /** The whole reply is written. */
  finish(): void;
}

/** The members with an underscore are what `http.Server` of Node 24.11 to 26 sets or reads. They are not documented. */
export class SilentResponse implements TurnRequest {
  readonly req: IncomingMessage;
  /** `null` until the replies to the requests before are over. */
  socket: Socket | null = null;
  /** The client, as far as its request says, would send another request after this one. */
  shouldKeepAlive = false;
  /** The client has ended its side behind this request. */
  _last = false;
  _expect_continue = false;
  _keepAliveTimeout = 0;
  _maxRequestsPerSocket = 0;
  _onPendingData: unknown = undefined;
  // Else the server would emit `close` after each reply.
  readonly _closed = true;
  #onTurn: (() => void) | undefined;
  #onFinish: (() => void) | undefined;

  constructor(req: IncomingMessage) {
    this.req = req;
  }

  /** Calls back once, when the replies to the requests before are over. */
  onTurn(callback: () => void): void {
    this.#onTurn = callback;
  }

  /** The whole reply is written: `http.Server` gives the next request its turn, or ends the connection. */
  finish(): void {
    this.#onFinish?.();
  }

  /** What follows is for `http.Server`: it wants to hear of `finish`, and nothing else happens to such a response. */
  on(event: string, listener: () => void): void {
    if (event === 'finish') this.#onFinish = listener;
  }

  /** The connection has ended while this response waited for its turn. */
  destroy(): void {}

  assignSocket(socket: ResponseSocket): void {
    socket._httpMessage = this;
    this.socket = socket;
    const callback = this.#onTurn;
    this.#onTurn = undefined;
    callback?.();
  }

  detachSocket(socket: ResponseSocket): void {
    socket._httpMessage = null;
    this.socket = null;
  }
}

/** The option of `http.createServer` that has it make silent responses. Its type asks for more than the server does. */
export const SILENT = SilentResponse as unknown as typeof ServerResponse;

/**
 * Handles a request that the balancer answers itself while its body comes. Whoever reads the body as a stream limits
 * its time, and learns from the stream's `error` event if the body ends too early.
 */
export function readerOf(request: IncomingMessage): Occupant {
  return {
    onClientDrain: () => undefined,
    onClientGone: () => undefined,
    onTick: () => undefined,
    onClientBroken: (error) => !request.complete && request.listenerCount('error') > 0 && request.emit('error', error),
  };
}

/**
 * The response to such a request, for whoever answers it. It takes the turn of the silent one until it is finished, or
 * its connection is closed.
 */
export function ownResponse(turn: SilentResponse): ServerResponse {
  const socket = turn.socket as Socket;
  const response: ServerResponse & ServerMembers = new ServerResponse(turn.req);
  response.shouldKeepAlive = turn.shouldKeepAlive;
  response._expect_continue = turn._expect_continue;
  turn.detachSocket(socket);
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    turn._last ||= response._last === true;
    turn.finish();
    // After all who wait for `finish`, as `http.Server` does it.
    process.nextTick(() => {
      Object.assign(response, { destroyed: true, _closed: true });
      response.emit('close');
    });
  });
  return response;
}

// Not documented: what `http.Server` sets or reads of a response.
interface ServerMembers {
  _expect_continue?: boolean;
  _last?: boolean;
}
