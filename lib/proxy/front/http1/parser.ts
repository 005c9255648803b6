// The undocumented parts of the parser in Node's `http.Server` that this proxy needs: stopping behind a head, keeping
// what was not read for later, and starting anew on a connection. `checkParser` tries all of them before the proxy
// listens.

import http, { type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import { SILENT, type SilentResponse } from './responses.ts';

interface Parser {
  // Called for each head. Its result says what comes behind the head (`on_headers_complete` of llhttp).
  onIncoming: (request: IncomingMessage & { readonly upgrade: boolean }, shouldKeepAlive: boolean) => number;
  execute(bytes: Buffer): unknown;
  pause(): void;
  resume(): void;
}

type ParsedSocket = Duplex & {
  readonly parser?: Parser | null;
  readonly _readableState: { readonly ended: boolean };
  // `http.Server` has paused the socket, and will resume it when it has drained.
  readonly _paused?: boolean;
};

/** An error of the parser. */
export interface ParserError extends NodeJS.ErrnoException {
  // The bytes that the parser was given last, and how far it came in them.
  readonly reason?: string;
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

// Results of `onIncoming` that leave the bytes behind the head unread. The first is for an Upgrade: by itself, Node
// would read on to a body, and would lose what follows a request whose Upgrade is ignored.
const OTHER_PROTOCOL = 2;
const STOP = 21;
const NOTHING = Buffer.alloc(1).subarray(0, 0);

/** Says when a parser stops. */
export interface Stopping {
  /** Asked behind each head, after its `request` event. */
  readonly stopsNow: boolean;
}

/** The parser of one connection. It can be told to stop behind a head. */
export class HeadStop {
  /** The parser has stopped, and what it has not read waits in the socket. */
  held = false;
  readonly #socket: ParsedSocket;
  // The parser was told to stop, but has not reported yet where it did.
  #stopping = false;

  /** Make it when the connection has come to `http.Server`. */
  constructor(socket: Duplex, stopping: Stopping) {
    this.#socket = socket as ParsedSocket;
    const parser = this.#socket.parser as Parser;
    const { onIncoming } = parser;
    parser.onIncoming = (request, shouldKeepAlive) => {
      onIncoming(request, shouldKeepAlive);
      if (request.upgrade) return OTHER_PROTOCOL;
      this.#stopping = stopping.stopsNow;
      return this.#stopping ? STOP : 0;
    };
  }

  /** Nothing is being read: the parser has stopped, or `http.Server` has let go of the connection. */
  get rests(): boolean {
    return this.held || this.#socket.parser === undefined || this.#socket.parser === null;
  }

  /** The client has ended its side, but Node has not said so because unread bytes come first. */
  get hasEnded(): boolean {
    return this.#socket._readableState.ended && !this.#socket.readableEnded;
  }

  /** What the parser has not read, if the error only says that it has stopped. */
  rest(error: ParserError): Buffer | undefined {
    if (error.code !== 'HPE_PAUSED' || error.rawPacket === undefined) return undefined;
    // A stopped parser does not look at bytes that still come, so `bytesParsed` says nothing about them.
    const from = this.#stopping ? (error.bytesParsed ?? 0) : 0;
    this.#stopping = false;
    return error.rawPacket.subarray(from);
  }

  /** Keeps the unread bytes, and pauses the connection, until `goOn`. */
  hold(rest: Buffer): void {
    const socket = this.#socket;
    if (!this.held) {
      this.held = true;
      // A parser reads straight from the socket's handle and could not give bytes back. Listening for `data` takes the
      // handle from it.
      socket.on('data', ignore);
      socket.off('data', ignore);
      // A message without a body is over after its head, but the parser says so only at the next bytes, which may never
      // come.
      const parser = socket.parser as Parser;
      parser.resume();
      parser.execute(NOTHING);
      parser.pause();
    }
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    readFurther(socket);
  }

  /** Call it on `drain`: `http.Server` then resumes a connection that it had paused, even if it is held. */
  onDrain(): void {
    if (!this.held) return;
    this.#socket.parser?.pause();
    this.#socket.pause();
  }

  /** Lets the parser read on. Must not be called from within a parser's callback. */
  goOn(): void {
    if (!this.held) return;
    this.held = false;
    const socket = this.#socket;
    if (socket.destroyed || socket._paused === true) return;
    socket.parser?.resume();
    socket.resume();
  }
}

/**
 * Gives a connection back to `http.Server`, which had let go of it after an Upgrade. The server reads it as if it had
 * just come, and emits `connection` for it. Must not be called from within a parser's callback.
 */
export function readAnew(server: Server, socket: Duplex): void {
  server.emit('connection', socket);
  socket.resume();
}

/**
 * Call it when `http.Server` lets go of a connection: a read that it was about to make would otherwise never be made.
 */
export function readFurther(socket: Duplex): void {
  socket._read(0);
}

function ignore(): void {}

const HEAD = ' HTTP/1.1\r\nHost: a\r\n';
const TRIAL = `GET /1${HEAD}\r\nPOST /2${HEAD}Content-Length: 1\r\n\r\nxGET /3${HEAD}\r\nPOST /4${HEAD}Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 4\r\n\r\nbody`;
const EXPECTED = '/1 stop:162 whole:true /2 /3 upgrade:/4:body';

/** Rejects if the parser of this version of Node does not behave as this file expects. */
export async function checkParser(): Promise<void> {
  const seen: string[] = [];
  let first: IncomingMessage | undefined;
  const server = http.createServer({ ServerResponse: SILENT });
  const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  await new Promise<void>((resolve) => {
    const over = setTimeout(resolve, TRIAL_MS);
    const done = () => {
      clearTimeout(over);
      resolve();
    };
    server.on('request', (request, response) => {
      seen.push(`${request.url}`);
      request.resume();
      (response as unknown as SilentResponse).finish();
      first ??= request;
    });
    server.on('upgrade', (request, _socket, early) => {
      seen.push(`upgrade:${request.url}:${early}`);
      done();
    });
    server.emit('connection', socket);
    const stop = new HeadStop(socket, {
      get stopsNow() {
        return seen.length === 1;
      },
    });
    server.on('clientError', (error) => {
      const rest = stop.rest(error);
      if (rest === undefined) return done();
      seen.push(`stop:${rest.length}`);
      stop.hold(rest);
      setImmediate(() => {
        seen.push(`whole:${first?.complete}`);
        stop.goOn();
      });
    });
    socket.push(TRIAL);
  });
  socket.destroy();
  if (seen.join(' ') === EXPECTED) return;
  throw new Error(`Node ${process.version} reads HTTP in another way than this program knows: ${seen.join(' ')}`);
}

const TRIAL_MS = 10_000;
